"""Turns every second case that schemathesis generates for an operation of the operator API into one about a resource
that exists. The resources are new after each change, since an operation may suspend, restrict, or remove them.
"""

import collections
import os
import pathlib
import sys

import requests
import schemathesis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from person import URL, Person, names  # noqa: E402

API = f"{URL}/api/v2"

operator = requests.Session()
operator.headers["authorization"] = f"Bearer {os.environ['OPERATOR_TOKEN']}"


def api(method, path, body=None, **query):
    """What the operation answers, which has to succeed."""
    answer = operator.request(method, f"{API}/{path}", json=body, params=query)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def create(kind, attributes, **more):
    return api("POST", f"oauth2/{kind}", {"data": {"type": f"oauth2_{kind}", "attributes": attributes, **more}})["data"]


def connection():
    """The identifiers of a client, of the access that a person has allowed it, and of all that belongs to them, by the
    names of path parameters.
    """
    # A rule that an earlier case made could reject the client.
    for rule in api("GET", "oauth2/admission_rules")["data"]:
        if rule["attributes"]["origin"] == "store":
            api("DELETE", f"oauth2/admission_rules/{rule['id']}")
    person = Person()
    person.tokens()
    client_id = person.client_id
    [grant] = api("GET", "oauth2/grants", **{"filter[client_id]": client_id})["data"]
    [authorization] = api("GET", f"org_authorized_clients/{client_id}/user_authorized_clients")["data"]
    subject = grant["attributes"]["sub"]
    rule = create("admission_rules", {"name": ["hooks"], "effect": "hold", "mode": "observe"}, id="hooks")
    name = api("GET", f"oauth2/clients/{client_id}")["data"]["attributes"]["name"]
    [family] = api("GET", "oauth2/families", **{"filter[name]": name})["data"]
    return {
        "client_id": client_id,
        "org_authorized_client_id": client_id,
        "grant_id": grant["id"],
        "subject": subject,
        "user_id": authorization["relationships"]["user"]["data"]["id"],
        "user_authorized_client_id": authorization["id"],
        "family_id": family["id"],
        "session_id": api("GET", "oauth2/sessions", **{"filter[sub]": subject})["data"][0]["id"],
        "rule_id": rule["id"],
        "initial_access_token_id": create("initial_access_tokens", {"name": f"hooks-{next(names)}", "uses_max": 1})["id"],
        "operator_token_id": create("operator_tokens", {"name": f"hooks {next(names)}", "role": "viewer"})["id"],
        "key_id": api("GET", "oauth2/keys")["data"][-1]["id"],
    }


# Of the token that makes these calls: schemathesis learns identifiers from lists, and would revoke it.
[OWN_TOKEN] = [token["id"] for token in api("GET", "oauth2/operator_tokens")["data"]]
current = None
# Cases so far, by operation: the cases of one operation do not depend on how many others there are.
counts = collections.Counter()


@schemathesis.hook
def map_case(context, case):
    global current
    if (case.path_parameters or {}).get("operator_token_id") == OWN_TOKEN:
        case.path_parameters["operator_token_id"] = "0199f2a4-7c11-7abc-8def-001122334455"
    if not case.meta.generation.mode.is_positive:
        return case
    counts[case.operation.label] += 1
    if counts[case.operation.label] % 2:
        return case
    identifiers = current = current or connection()
    for name in case.path_parameters or {}:
        case.path_parameters[name] = identifiers[name]
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if case.operation.method.upper() != "GET":
        current = None
    return case
