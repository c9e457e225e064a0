#!/usr/bin/env python3
"""Puts what real and hostile clients send (tests/corpus) where the fuzz targets start from (fuzz/corpus).

What a target needs beside that stands in fuzz/seeds. Run again it changes nothing.
"""

import base64
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE.parent / "tests/corpus/registrations.jsonl"


def body(request):
    """The bytes of one recorded request; `None` for the huge ones, which are made from a template."""
    if "raw_base64" in request:
        return base64.b64decode(request["raw_base64"])
    if "raw" in request:
        return request["raw"].encode("utf-8", "surrogatepass")
    return json.dumps(request["body"]).encode() if "body" in request else None


def redirect_uris(request):
    metadata = request.get("body")
    listed = metadata.get("redirect_uris") if isinstance(metadata, dict) else None
    if isinstance(listed, list):
        yield from (uri for uri in listed if isinstance(uri, str))


def main():
    bodies, uris = {}, set()
    for line in RECORDED.read_text().splitlines():
        request = json.loads(line)
        bodies[request["name"]] = body(request)
        uris.update(redirect_uris(request))
    seeds = {"registration_body": bodies}
    seeds["redirect_uri"] = {
        f"{number:03}": uri.encode("utf-8", "surrogatepass") for number, uri in enumerate(sorted(uris))
    }
    for target, inputs in seeds.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs.items():
            if content is not None:
                (folder / f"recorded-{name}").write_bytes(content)


if __name__ == "__main__":
    main()
