"""A person who signs in at a server for development and allows clients. Python's standard library alone."""

import base64
import hashlib
import http.client
import json
import re
import urllib.parse

REDIRECT_URI = "http://127.0.0.1:9/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def password(server):
    """The password that a server printed into its log."""
    return re.findall(r"with the password (\S+)", server.log.read_text())[-1]


class Person:
    """Whoever has the password that the server printed into its log."""

    def __init__(self, server):
        self.server = server
        secret = password(server)
        status, headers, body = self.post("/oauth2/sign-in", {"request": "client_id=x", "password": secret})
        assert status == 303, f"the sign-in failed: {status} {body!r}"
        self.cookie = headers["set-cookie"].split(";")[0]

    cookie = ""

    def send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, body, {"cookie": self.cookie, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def post(self, path, fields):
        headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
        return self.send("POST", path, urllib.parse.urlencode(fields), headers)

    def register(self, name):
        """Registers a client of this name. Returns its identifier."""
        body = json.dumps({"client_name": name, "redirect_uris": [REDIRECT_URI]})
        status, _, answer = self.send("POST", "/register", body, {"content-type": "application/json"})
        assert status == 201, f"{status} {answer}"
        return json.loads(answer)["client_id"]

    def allow(self, client_id, scope="read"):
        """Allows a client a scope. Returns the access token that it gets."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        request = urllib.parse.urlencode({
            "client_id": client_id, "response_type": "code", "redirect_uri": REDIRECT_URI, "scope": scope,
            "code_challenge": challenge, "code_challenge_method": "S256", "prompt": "consent",
        })  # fmt: skip
        status, _, page = self.send("GET", f"/oauth2/authorize?{request}")
        form_token = re.search(r'name="form_token" value="([^"]+)"', page)
        assert form_token, f"no consent page: {status} {page}"
        decision = {"request": request, "form_token": form_token[1], "decision": "allow"}
        status, headers, page = self.post("/oauth2/consent", decision)
        assert status == 303, f"{status} {page}"
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["location"]).query)["code"][0]
        status, _, answer = self.post("/oauth2/token", {
            "grant_type": "authorization_code", "client_id": client_id, "code": code,
            "code_verifier": VERIFIER, "redirect_uri": REDIRECT_URI,
        })  # fmt: skip
        assert status == 200, f"{status} {answer}"
        return json.loads(answer)["access_token"]
