"""The MCP SDK for Python, unmodified, against the `rfc7591` profile: its registration call, and its whole
authorization flow up to the moment at which a browser would open. Where the server listens stands in
DOORWARD_URL; DOORWARD_LIMITED_URL is a second one, which soon refuses.
"""

import logging
import os
import unittest
import urllib.parse

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthRegistrationError
from mcp.client.auth.oauth2 import check_registration_usable
from mcp.client.auth.utils import create_client_registration_request, handle_registration_response
from mcp.shared.auth import OAuthClientMetadata, OAuthMetadata

URL = os.environ["DOORWARD_URL"]
LIMITED_URL = os.environ["DOORWARD_LIMITED_URL"]
LIMIT = int(os.environ["DOORWARD_LIMIT"])
REDIRECT_URI = "http://localhost:3030/callback"


def metadata(**changes):
    """What a host program hands to the SDK; the SDK adds its defaults."""
    members = {"client_name": "Simple Auth Client", "redirect_uris": [REDIRECT_URI]}
    members.update(changes)
    return OAuthClientMetadata.model_validate(members)


async def register(client_metadata, base=URL, server=None):
    """The SDK's own two steps, and what it then checks."""
    request = create_client_registration_request(server, client_metadata, base)
    async with httpx2.AsyncClient() as client:
        information = await handle_registration_response(await client.send(request))
    check_registration_usable(information)
    return information


class BrowserOpens(Exception):
    """The flow has come as far as the resource owner."""


class Memory:
    """Where the flow keeps what it learns."""

    client = None

    async def get_tokens(self):
        return None

    async def set_tokens(self, tokens):
        raise AssertionError("nobody issued tokens")

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Registration(unittest.IsolatedAsyncioTestCase):
    async def test_a_host_program_is_registered_as_a_public_client(self):
        information = await register(metadata())

        self.assertRegex(information.client_id, "^[0-9a-f-]{36}$")
        self.assertIsNone(information.client_secret)
        self.assertEqual(information.token_endpoint_auth_method, "none")
        self.assertEqual([str(uri) for uri in information.redirect_uris], [REDIRECT_URI])
        self.assertEqual(information.grant_types, ["authorization_code", "refresh_token"])
        self.assertEqual(information.application_type, "native")

    async def test_the_method_of_older_releases_is_replaced(self):
        information = await register(metadata(token_endpoint_auth_method="client_secret_post"))

        self.assertEqual(information.token_endpoint_auth_method, "none")
        self.assertIsNone(information.client_secret)

    async def test_an_endpoint_that_the_metadata_names_is_used(self):
        server = OAuthMetadata.model_validate({
            "issuer": URL,
            "authorization_endpoint": f"{URL}/authorize",
            "token_endpoint": f"{URL}/token",
            "registration_endpoint": f"{URL}/oauth2/register",
        })

        information = await register(metadata(scope="user read"), server=server)

        self.assertEqual(information.scope, "user read")

    async def test_every_member_comes_back(self):
        members = {
            "client_uri": "https://example.com/",
            "logo_uri": "https://example.com/logo.png",
            "tos_uri": "https://example.com/tos",
            "policy_uri": "https://example.com/policy",
            "contacts": ["ops@example.com"],
            "software_id": "example",
            "software_version": "1.2.3",
        }

        information = await register(metadata(**members))

        self.assertLessEqual(members.items(), information.model_dump(mode="json").items())

    async def test_a_refusal_carries_the_servers_reason(self):
        with self.assertRaisesRegex(OAuthRegistrationError, "400.*invalid_redirect_uri"):
            await register(metadata(redirect_uris=["https://example.com/callback#fragment"]))

    async def test_too_many_requests_carry_the_servers_reason(self):
        with self.assertRaisesRegex(OAuthRegistrationError, "429.*temporarily_unavailable"):
            for _ in range(2 * LIMIT + 1):
                await register(metadata(), base=LIMITED_URL)

    async def test_the_authorization_flow_registers_and_comes_as_far_as_the_browser(self):
        opened = []

        async def open_browser(url):
            opened.append(url)
            raise BrowserOpens

        memory = Memory()
        provider = OAuthClientProvider(
            server_url=URL,
            client_metadata=metadata(),
            storage=memory,
            redirect_handler=open_browser,
            callback_handler=open_browser,
        )

        with self.assertRaises(BrowserOpens):
            await self.drive(provider)

        query = urllib.parse.parse_qs(urllib.parse.urlsplit(opened[0]).query)
        self.assertEqual(query["client_id"], [memory.client.client_id])
        self.assertEqual(query["redirect_uri"], [REDIRECT_URI])

    async def drive(self, provider):
        """Runs the flow as the SDK's transport does. There is no MCP server here: its 401 is ours, and every
        later request of the flow goes to Doorward.
        """
        first = httpx2.Request("POST", f"{URL}/mcp")
        flow = provider.async_auth_flow(first)
        await flow.asend(None)
        response = httpx2.Response(401, request=first)
        async with httpx2.AsyncClient() as client:
            while True:
                response = await client.send(await flow.asend(response))


if __name__ == "__main__":
    # The flow logs every exception that passes through it, the one that ends it here as well.
    logging.disable()
    unittest.main()
