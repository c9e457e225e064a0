"""Makes requests that can succeed of what schemathesis generates: nothing else would ever see a registration, a
consent page or a token.

Only what the schema allows anyway is sent, and in every second case; the other one stays as it came.
"""

import collections
import html
import os
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
import schemathesis

URL, PASSWORD = os.environ["DOORWARD_URL"], os.environ["DOORWARD_PASSWORD"]

REDIRECT_URIS = ["https://example.com/callback", "http://127.0.0.1:8000/callback", "com.example.app:/callback"]
ADDRESSES = ["client_uri", "jwks_uri", "logo_uri", "policy_uri", "tos_uri"]
LISTS = {"grant_types": "authorization_code", "response_types": "code"}

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

# What a browser says of a form on a page of the server's own.
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class Person:
    """Somebody with a browser who has signed in, and a client that asks them."""

    def __init__(self):
        self.browser = requests.Session()
        answer = self.browser.post(
            f"{URL}/oauth2/register", json={"client_name": "Of the hooks", "redirect_uris": REDIRECT_URIS}
        )
        self.client_id = answer.json()["client_id"]
        self.signed_in = self.post("sign-in", {"request": "client_id=x", "password": PASSWORD}).cookies

    def post(self, page, form):
        return self.browser.post(f"{URL}/oauth2/{page}", data=form, headers=OWN_PAGE, allow_redirects=False)

    def asked(self, **more):
        """The parameters of a good authorization request."""
        return {
            "client_id": self.client_id, "redirect_uri": REDIRECT_URIS[0], "response_type": "code",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256", "scope": "read", "state": "s", **more,
        }  # fmt: skip

    def form(self, path, decision=None):
        """What the form of a page holds."""
        page = self.browser.get(f"{URL}{path}").text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        fields = {name: html.unescape(value) for name, value in fields.items()}
        return {**fields, "decision": decision} if decision else fields

    def consent(self, decision):
        return self.form(f"/oauth2/authorize?{urlencode(self.asked())}", decision)

    def code(self):
        """A code, as the client is brought it."""
        location = self.post("consent", self.consent("allow")).headers["location"]
        return {
            "grant_type": "authorization_code", "client_id": self.client_id, "code_verifier": VERIFIER,
            "code": parse_qs(urlsplit(location).query)["code"][0],
        }  # fmt: skip

    def tokens(self):
        return requests.post(f"{URL}/oauth2/token", data=self.code()).json()


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
