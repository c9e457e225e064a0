"""The MCP SDK for Python, unmodified, from the address of a protected server to an answer of its tool, and to another one
after an operator ended its access. Its user is the small person of person.mjs. TOOLS_URL is the protected server, which
runs elsewhere, and OPERATOR_TOKEN opens the operator API of DOORWARD_URL.
"""

import asyncio
import json
import os
import pathlib
import unittest
import urllib.request
from urllib.parse import parse_qs, urlsplit

from mcp import ClientSession
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

HERE = pathlib.Path(__file__).resolve().parent
TOOLS_URL = os.environ["TOOLS_URL"]
REDIRECT_URI = "http://localhost:8091/callback"


class Kept(TokenStorage):
    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def provider_of(kept, sent):
    """What a program gives the SDK: what it stores, and a user whose way back, or the page where it ended, is appended to
    `sent`.
    """

    async def redirect(url):
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
        person = await asyncio.create_subprocess_exec("node", HERE / "person.mjs", url, **pipes)
        sent.append((await person.communicate())[0].decode().strip())

    async def callback():
        query = {name: value for name, [value] in parse_qs(urlsplit(sent[-1]).query).items()}
        return AuthorizationCodeResult(code=query["code"], state=query["state"], iss=query["iss"])

    metadata = OAuthClientMetadata(client_name="Journey", redirect_uris=[REDIRECT_URI])
    return OAuthClientProvider(TOOLS_URL, metadata, kept, redirect, callback)


async def whoami(kept, sent):
    """The answer of the tool to a program that was started with what it stored before."""
    async with create_mcp_http_client(auth=provider_of(kept, sent)) as client:
        async with streamable_http_client(TOOLS_URL, http_client=client) as (read, write, *_):
            async with ClientSession(read, write) as session:
                await session.initialize()
                answer = await session.call_tool("whoami", {"word": "hello"})
                return answer.content[0].text


def operate(method, path, data=None):
    """One call of the operator API."""
    body = None if data is None else json.dumps({"data": data}).encode()
    headers = {"authorization": f"Bearer {os.environ['OPERATOR_TOKEN']}", "content-type": "application/json"}
    url = f"{os.environ['DOORWARD_URL']}/api/v2/oauth2{path}"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as response:
        return json.loads(response.read() or "null")


class Journey(unittest.IsolatedAsyncioTestCase):
    async def recover_from(self, operator_acts):
        """Has an answer, lets an operator act, and has another one. Returns the registrations before and after."""
        kept, sent = Kept(), []
        self.assertTrue((await whoami(kept, sent)).startswith("hello "))
        before = kept.client.client_id
        operator_acts(before)
        # As if the access token had expired meanwhile.
        kept.tokens = kept.tokens.model_copy(update={"access_token": "expired"})
        self.assertTrue((await whoami(kept, sent)).startswith("hello "))
        self.assertEqual(len(sent), 2, "the user is asked once more")
        return before, kept.client.client_id

    async def test_recovers_after_a_suspension_and_a_resumption(self):
        def suspend_and_resume(client):
            for standing in ("suspended", "active"):
                change = {"id": client, "type": "oauth2_clients", "attributes": {"standing": standing}}
                operate("PATCH", f"/clients/{client}", change)

        before, now = await self.recover_from(suspend_and_resume)
        self.assertEqual(before, now)

    async def test_recovers_after_the_end_of_its_grant(self):
        def end_grants(client):
            for grant in operate("GET", f"/grants?filter%5Bclient_id%5D={client}")["data"]:
                operate("DELETE", f"/grants/{grant['id']}")

        before, now = await self.recover_from(end_grants)
        self.assertEqual(before, now)

    async def test_after_its_removal_the_user_is_told_to_connect_anew_and_can(self):
        kept, sent = Kept(), []
        self.assertTrue((await whoami(kept, sent)).startswith("hello "))
        operate("DELETE", f"/clients/{kept.client.client_id}")
        kept.tokens = kept.tokens.model_copy(update={"access_token": "expired"})
        # This SDK registers anew only when the program has deleted what it stored: the user is the one who can tell it.
        with self.assertRaises(ExceptionGroup):
            await whoami(kept, sent)
        self.assertIn("This app was removed", sent[-1])
        self.assertIn("remove this server's connection in the app and add it again", sent[-1])
        self.assertTrue((await whoami(Kept(), sent)).startswith("hello "))

    async def test_from_a_url_to_an_answer(self):
        kept, sent = Kept(), []
        provider = provider_of(kept, sent)
        async with create_mcp_http_client(auth=provider) as client:
            async with streamable_http_client(TOOLS_URL, http_client=client) as (read, write, *_):
                async with ClientSession(read, write) as session:
                    await session.initialize()
                    answer = await session.call_tool("whoami", {"word": "hello"})
                    narrow = kept.tokens.scope
                    renamed = await session.call_tool("rename", {"word": "hello"})
                    stepped_up = kept.tokens
                    provider.context.token_expiry_time = 0.1  # long ago
                    again = await session.call_tool("rename", {"word": "hello"})
        self.assertTrue(answer.content[0].text.startswith("hello "))
        self.assertTrue(kept.tokens.refresh_token)
        # The tool needs more than the client registered with: the SDK asks for it, and gets it.
        self.assertEqual(narrow, "tools:use")
        self.assertIn("tools:write", kept.tokens.scope)
        self.assertIn("tools:write", renamed.content[0].text)
        # The refresh keeps the wider scope, and needs no user.
        self.assertNotEqual(kept.tokens.refresh_token, stepped_up.refresh_token)
        self.assertEqual(kept.tokens.scope, stepped_up.scope)
        self.assertIn("tools:write", again.content[0].text)
        self.assertEqual(len(sent), 2)


if __name__ == "__main__":
    unittest.main()
