"""Datadog's own SDK for Python, unmodified, against the `datadog` profile (contract: the reference page
"Register an OAuth2 client"). Where it listens stands in DOORWARD_URL; DOORWARD_LIMITED_URL is a second
server, which lets DOORWARD_LIMIT registrations through in a window of few seconds.
"""

import os
import time
import unittest
import uuid

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.o_auth2_client_public_api import OAuth2ClientPublicApi
from datadog_api_client.v2.model.o_auth_client_registration_grant_type import (
    OAuthClientRegistrationGrantType as GrantType,
)
from datadog_api_client.v2.model.o_auth_client_registration_request import OAuthClientRegistrationRequest
from datadog_api_client.v2.model.o_auth_client_registration_response_type import (
    OAuthClientRegistrationResponseType as ResponseType,
)

URL = os.environ["DOORWARD_URL"]
LIMITED_URL = os.environ["DOORWARD_LIMITED_URL"]
LIMIT = int(os.environ["DOORWARD_LIMIT"])

SIX_MEMBERS = {
    "client_id",
    "client_name",
    "grant_types",
    "redirect_uris",
    "response_types",
    "token_endpoint_auth_method",
}
RATE_LIMIT_HEADERS = ["limit", "period", "remaining", "reset", "name"]


def register(body, base=URL, **settings):
    """The SDK's call. Returns the model, the status and the headers."""
    configuration = Configuration(host=base, **settings)
    # Without the "v2." of the other languages: this SDK looks it up by the bare name.
    configuration.unstable_operations["register_o_auth_client"] = True
    configuration.return_http_data_only = False
    with ApiClient(configuration) as client:
        return OAuth2ClientPublicApi(client).register_o_auth_client(body)


def example(**changes):
    """The request of the reference page."""
    members = {
        "client_name": "Example MCP Client",
        "client_uri": "https://example.com",
        "grant_types": [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN],
        "jwks_uri": "https://example.com/.well-known/jwks.json",
        "logo_uri": "https://example.com/logo.png",
        "policy_uri": "https://example.com/policy",
        "redirect_uris": ["https://example.com/oauth/callback"],
        "response_types": [ResponseType.CODE],
        "scope": "openid profile",
        "token_endpoint_auth_method": "none",
        "tos_uri": "https://example.com/tos",
    }
    members.update(changes)
    return OAuthClientRegistrationRequest(**members)


def smallest(**changes):
    """What has to be there, and no more."""
    members = {"client_name": "Example MCP Client", "redirect_uris": ["http://127.0.0.1:8000/oauth/callback"]}
    members.update(changes)
    return OAuthClientRegistrationRequest(**members)


class Registration(unittest.TestCase):
    def refused(self, body, status=400, **call):
        with self.assertRaises(ApiException) as caught:
            register(body, **call)
        self.assertEqual(caught.exception.status, status, caught.exception.body)
        return caught.exception

    def test_the_documented_example_is_registered(self):
        model, status, headers = register(example())

        self.assertEqual(status, 201)
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["cache-control"], "no-store")
        answer = model.to_dict()
        self.assertEqual(set(answer), SIX_MEMBERS)
        self.assertIsInstance(model.client_id, uuid.UUID)
        self.assertEqual(answer["client_name"], "Example MCP Client")
        self.assertEqual(answer["redirect_uris"], ["https://example.com/oauth/callback"])
        self.assertEqual([str(value) for value in answer["grant_types"]], ["authorization_code", "refresh_token"])
        self.assertEqual([str(value) for value in answer["response_types"]], ["code"])
        self.assertEqual(answer["token_endpoint_auth_method"], "none")

    def test_every_registration_gets_its_own_identifier(self):
        identifiers = {register(example())[0].client_id for _ in range(5)}

        self.assertEqual(len(identifiers), 5)

    def test_what_is_left_out_takes_its_documented_default(self):
        answer = register(smallest())[0].to_dict()

        self.assertEqual([str(value) for value in answer["grant_types"]], ["authorization_code", "refresh_token"])
        self.assertEqual([str(value) for value in answer["response_types"]], ["code"])
        self.assertEqual(answer["token_endpoint_auth_method"], "none")

    def test_an_optional_member_that_is_null_counts_as_left_out(self):
        nothing = dict.fromkeys(
            ["client_uri", "grant_types", "jwks_uri", "logo_uri", "policy_uri", "response_types", "scope",
             "token_endpoint_auth_method", "tos_uri"]
        )  # fmt: skip

        answer = register(smallest(**nothing))[0].to_dict()

        self.assertEqual(set(answer), SIX_MEMBERS)
        self.assertNotIn(None, answer.values())

    def test_a_missing_name_is_the_typed_error(self):
        body = smallest()
        # The model wants a name; a program can still lose it.
        del body._data_store["client_name"]

        error = self.refused(body)

        self.assertEqual(set(error.body), {"error", "error_description"})
        self.assertEqual(error.body["error"], "invalid_client_metadata")
        self.assertIn("client_name", error.body["error_description"])

    def test_a_redirect_uri_that_does_not_parse_is_refused_in_the_documented_words(self):
        error = self.refused(smallest(redirect_uris=["not a URI"]))

        self.assertEqual(
            error.body,
            {"error": "invalid_client_metadata", "error_description": "redirect URI is not well-formed"},
        )

    def test_a_redirect_uri_that_is_not_allowed_is_an_invalid_redirect_uri(self):
        error = self.refused(smallest(redirect_uris=["https://example.com/callback#fragment"]))

        self.assertEqual(error.body["error"], "invalid_redirect_uri")

    def test_a_lone_surrogate_in_the_name_is_the_callers_fault(self):
        error = self.refused(smallest(client_name="Example \ud800 Client"))

        self.assertEqual(error.body["error"], "invalid_client_metadata")
        self.assertTrue(error.body["error_description"].isascii())

    def test_any_script_is_echoed_as_it_was_sent(self):
        name = "Пример 例 🐶 e\u0301"

        self.assertEqual(register(smallest(client_name=name))[0].client_name, name)


class RateLimit(unittest.TestCase):
    def until_refused(self):
        """Registers until there is no room in the window; it may have ended in between, hence twice."""
        for _ in range(2 * LIMIT + 1):
            try:
                register(smallest(), base=LIMITED_URL)
            except ApiException as error:
                return error
        self.fail(f"{2 * LIMIT + 1} registrations were let through, with room for {LIMIT}")

    def test_too_many_requests_are_the_typed_error_with_the_five_headers(self):
        error = self.until_refused()

        self.assertEqual(error.status, 429, error.body)
        self.assertEqual(error.body, {"errors": ["Too many requests"]})
        headers = {name: error.headers[f"x-ratelimit-{name}"] for name in RATE_LIMIT_HEADERS}
        period = int(headers["period"])
        self.assertEqual(headers["limit"], str(LIMIT))
        self.assertEqual(headers["remaining"], "0")
        self.assertTrue(1 <= int(headers["reset"]) <= period, headers)
        self.assertTrue(headers["name"])

    def test_the_five_headers_are_on_a_success_too(self):
        self.until_refused()

        _, status, headers = register(smallest(), base=LIMITED_URL, enable_retry=True, max_retries=3)

        self.assertEqual(status, 201)
        for name in RATE_LIMIT_HEADERS:
            self.assertIn(f"x-ratelimit-{name}", headers)
        self.assertTrue(0 <= int(headers["x-ratelimit-remaining"]) < LIMIT, headers)

    def test_a_retry_waits_for_the_window_to_end_and_then_succeeds(self):
        reset = int(self.until_refused().headers["x-ratelimit-reset"])
        begun = time.monotonic()

        _, status, _ = register(smallest(), base=LIMITED_URL, enable_retry=True, max_retries=1)

        waited = time.monotonic() - begun
        self.assertEqual(status, 201)
        self.assertLess(waited, reset + 1.5)


if __name__ == "__main__":
    unittest.main()
