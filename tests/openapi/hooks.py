"""Makes registrations that can succeed of what schemathesis generates: nothing else would ever see a 201.

Only what the schema allows anyway is touched, and in every second case; the other one stays as it came.
"""

import schemathesis

REDIRECT_URIS = ["https://example.com/callback", "http://127.0.0.1:8000/callback", "com.example.app:/callback"]
ADDRESSES = ["client_uri", "jwks_uri", "logo_uri", "policy_uri", "tos_uri"]
LISTS = {"grant_types": "authorization_code", "response_types": "code"}

count = 0


@schemathesis.hook
def map_case(context, case):
    global count
    if not (isinstance(case.body, dict) and case.meta.generation.mode.is_positive):
        return case
    count += 1
    if count % 2:
        return case
    body = case.body
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
    return case
