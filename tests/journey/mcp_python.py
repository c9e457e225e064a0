"""The MCP SDK for Python, unmodified, from the address of a protected server to an answer of its tool. Its user is
the small person of person.mjs. TOOLS_URL is the protected server, which runs elsewhere.
"""

import asyncio
import os
import pathlib
import unittest
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


class Journey(unittest.IsolatedAsyncioTestCase):
    async def test_from_a_url_to_an_answer(self):
        kept, sent = Kept(), []

        async def redirect(url):
            person = await asyncio.create_subprocess_exec(
                "node", HERE / "person.mjs", url, stdout=asyncio.subprocess.PIPE
            )
            sent.append((await person.communicate())[0].decode().strip())

        async def callback():
            query = {name: value for name, [value] in parse_qs(urlsplit(sent[-1]).query).items()}
            return AuthorizationCodeResult(code=query["code"], state=query["state"], iss=query["iss"])

        metadata = OAuthClientMetadata(client_name="Journey", redirect_uris=[REDIRECT_URI])
        provider = OAuthClientProvider(TOOLS_URL, metadata, kept, redirect, callback)
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
