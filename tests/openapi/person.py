"""A person with a browser who signs in at DOORWARD_URL, and a client that asks them for access."""

import html
import itertools
import os
import re
import string
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

URL, PASSWORD = os.environ["DOORWARD_URL"], os.environ["DOORWARD_PASSWORD"]

REDIRECT_URIS = ["https://example.com/callback", "http://127.0.0.1:8000/callback", "com.example.app:/callback"]

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

# A browser sends this with a form of a page of the server.
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}

# Words without digits, since the names of one family differ in digits only.
names = map("".join, itertools.product(string.ascii_lowercase, repeat=4))


class Person:
    """Signed in anew, with a client of a family of its own."""

    def __init__(self):
        self.browser = requests.Session()
        self.client_id = self.register()
        self.signed_in = self.post("sign-in", {"request": "client_id=x", "password": PASSWORD}).cookies

    def register(self):
        metadata = {"client_name": f"Hooks {next(names)}", "redirect_uris": REDIRECT_URIS}
        return self.browser.post(f"{URL}/oauth2/register", json=metadata).json()["client_id"]

    def post(self, page, form):
        return self.browser.post(f"{URL}/oauth2/{page}", data=form, headers=OWN_PAGE, allow_redirects=False)

    def asked(self, **more):
        """The parameters of a good authorization request."""
        return {
            "client_id": self.client_id, "redirect_uri": REDIRECT_URIS[0], "response_type": "code",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256", "scope": "read", "state": "s", **more,
        }  # fmt: skip

    def form(self, path, decision=None):
        """The fields of the form of a page."""
        page = self.browser.get(f"{URL}{path}").text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        fields = {name: html.unescape(value) for name, value in fields.items()}
        return {**fields, "decision": decision} if decision else fields

    def consent(self, decision):
        return self.form(f"/oauth2/authorize?{urlencode(self.asked(prompt='consent'))}", decision)

    def code(self):
        """A token request with a new code."""
        location = self.post("consent", self.consent("allow")).headers["location"]
        return {
            "grant_type": "authorization_code", "client_id": self.client_id, "code_verifier": VERIFIER,
            "code": parse_qs(urlsplit(location).query)["code"][0],
        }  # fmt: skip

    def tokens(self):
        return requests.post(f"{URL}/oauth2/token", data=self.code()).json()
