#!/usr/bin/env python3
"""Streams of events for `bench/run guard`: a server that keeps them open, clients that do, and bad tokens beside them.

    streams.py serve PORT
    streams.py hold PORT HOST TOKENS COUNT   prints `open` when all have their first event; ends with its input
    streams.py flood PORT HOST RATE          bad tokens, so many a second; ends with its input, and prints how many
"""

import asyncio
import itertools
import sys

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n"
)
# How many connections are opened at a time, and how many carry bad tokens.
AT_ONCE, FLOODING = 64, 16


async def serve(port):
    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024, limit=4096)
    await server.serve_forever()


def request(host, token):
    lines = ["GET /mcp HTTP/1.1", f"Host: {host}", "Accept: text/event-stream", f"Authorization: Bearer {token}"]
    return "\r\n".join([*lines, "\r\n"]).encode()


async def hold(port, host, tokens, count):
    lines = [line.strip() for line in open(tokens)]
    places, writers = asyncio.Semaphore(AT_ONCE), []

    async def one(token):
        async with places:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
            writer.write(request(host, token))
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"a stream was answered {head[:300]!r}")
            await reader.readuntil(b"data: a\n\n")
            writers.append((reader, writer))

    await asyncio.gather(*(one(token) for token in itertools.islice(itertools.cycle(lines), count)))
    print("open", flush=True)
    await end_of_input()
    if gone := sum(reader.at_eof() for reader, _ in writers):
        raise SystemExit(f"{gone} streams ended early")


async def flood(port, host, rate):
    sent, loop = itertools.count(), asyncio.get_running_loop()

    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        next_at = loop.time()
        while True:
            # A new token each time, signed with an unknown key.
            writer.write(request(host, f"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.{next(sent):0>86}"))
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 401 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"a bad token was answered {head[:300]!r}")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            next_at += FLOODING / rate
            await asyncio.sleep(max(0, next_at - loop.time()))

    work = asyncio.gather(*(one() for _ in range(FLOODING)))
    await asyncio.wait([work, asyncio.ensure_future(end_of_input())], return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        work.result()
    print(next(sent), flush=True)


async def end_of_input():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main():
    what, port, *rest = sys.argv[1:]
    if what == "serve":
        work = serve(int(port))
    elif what == "hold":
        host, tokens, count = rest
        work = hold(int(port), host, tokens, int(count))
    else:
        host, rate = rest
        work = flood(int(port), host, float(rate))
    asyncio.run(work)


if __name__ == "__main__":
    main()
