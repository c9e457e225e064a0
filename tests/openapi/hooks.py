"""Turns every second case that schemathesis generates for an OAuth operation into one that can succeed: without them,
no check would see a registration, a consent page, or a token. The schema allows these cases too.
"""

import collections
import pathlib
import sys

import schemathesis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from person import REDIRECT_URIS, Person  # noqa: E402

ADDRESSES = ["client_uri", "jwks_uri", "logo_uri", "policy_uri", "tos_uri"]
LISTS = {"grant_types": "authorization_code", "response_types": "code"}

person = Person()
# Cases so far, by operation: what one operation gets must not depend on how many others there are.
counts = collections.Counter()
count = 0


@schemathesis.hook
def map_case(context, case):
    global count
    if not case.meta.generation.mode.is_positive:
        return case
    counts[case.operation.label] += 1
    count = counts[case.operation.label]
    change = CHANGES.get(case.operation.path.rsplit("/", 1)[-1])
    if count % 2 == 0 and change:
        change(case, case.operation.method.upper())
    return case


def register(case, _):
    body = case.body
    if not isinstance(body, dict):
        return
    body["redirect_uris"] = REDIRECT_URIS[: 1 + count % len(REDIRECT_URIS)]
    body["client_name"] = f"Client {count}"
    body["token_endpoint_auth_method"] = "none"
    for name in ADDRESSES:
        if body.get(name):
            body[name] = "https://example.com/" + name
    for name, needed in LISTS.items():
        if body.get(name) is not None:
            body[name] = [needed, *body[name]]
    # Two that exclude each other, and one with a grammar of its own.
    body.pop("jwks", None)
    if body.get("scope"):
        body["scope"] = "openid profile"


def authorize(case, method):
    """A good request, or one that is broken in what the client is told of; by somebody who is signed in, or not."""
    broken = [{}, {"scope": "\u00e9"}, {"resource": ["x"]}, {"prompt": "none"}][count // 4 % 4]
    if method == "GET":
        case.query = person.asked(**broken)
    else:
        case.body = person.asked(**broken)
    if count % 4:
        case.cookies = dict(person.browser.cookies)


def token(case, _):
    if count % 4:
        case.body = person.code()
    else:
        refresh_token = person.tokens()["refresh_token"]
        case.body = {
            "grant_type": "refresh_token", "client_id": person.client_id, "refresh_token": refresh_token,
        }  # fmt: skip


def revoke(case, _):
    which = ["access_token", "refresh_token"][count // 2 % 2]
    # The name of a protected resource in the header would be a second client.
    case.headers.pop("Authorization", None)
    case.body = {"client_id": person.client_id, "token": person.tokens()[which]}


def introspect(case, _):
    case.body = {"token": person.tokens()[["access_token", "refresh_token"][count // 2 % 2]]}


# By the last step of a path.
CHANGES = {
    "register": register, "authorize": authorize, "token": token, "revoke": revoke, "introspect": introspect,
}  # fmt: skip
