#!/usr/bin/env python3
"""Puts what real and hostile clients send (tests/corpus) where the fuzz targets start from (fuzz/corpus), and the
headers and claims of JWTs, good ones and known attacks.

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


# As `src/keys/` and `src/sign_in/` write or want them, and as attackers have written them.
HEADERS = {
    "ours": {"alg": "ES256", "kid": "a", "typ": "at+jwt"},
    "ec": {"alg": "ES256", "kid": "ec"},
    "ed": {"alg": "EdDSA", "kid": "ed", "typ": "JWT"},
    "nameless": {"alg": "EdDSA"},
    "none": {"alg": "none"},
    "confused": {"alg": "HS256", "kid": "ec"},
    "longer": {"alg": "ES384", "kid": "ec"},
    "critical": {"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": False},
    "own-key": {"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
}
ID_TOKEN = {
    "iss": "https://login.example", "aud": ["doorward"], "nonce": "n", "sub": "7",
    "iat": 1800000000, "exp": 1800000300.5, "azp": "doorward",
}  # fmt: skip
ACCESS_TOKEN = {
    "iss": "https://door.example", "exp": 1800000900, "aud": "https://tools.example/mcp", "sub": "local:developer",
    "client_id": "0199f2a4-7c11-7abc-8def-001122334455", "iat": 1800000000, "scope": "read write",
    "jti": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="),
}  # fmt: skip
# Claims that make a good ID token a bad one.
AMISS = [
    {}, {"exp": 1700000000}, {"iat": 1900000000}, {"nbf": 1900000000}, {"iss": "https://other.example"},
    {"aud": "other"}, {"aud": ["doorward", "other"], "azp": "other"}, {"nonce": "m"}, {"exp": "1900000000"},
]  # fmt: skip
# What `altered` in src/fuzz.rs does, with a place from the end and a byte: replaces a character, cuts, puts one in.
EDITS = [bytes([kind, 0, back, byte]) for kind, back, byte in (
    (0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 200, 5), (1, 1, 0), (1, 87, 0), (2, 0, 61), (2, 0, 65), (2, 87, 46),
)]  # fmt: skip


def jwts():
    """A header, claims and an edit, each on a line."""
    for nth, (name, header) in enumerate(HEADERS.items()):
        yield f"access-{name}", jwt(header, ACCESS_TOKEN, EDITS[nth % len(EDITS)])
        for amiss in AMISS if name in ("ec", "ed") else AMISS[:1]:
            yield f"id-{name}-{AMISS.index(amiss)}", jwt(header, {**ID_TOKEN, **amiss}, b"")
    for nth, edit in enumerate(EDITS):
        for length in range(3):  # One for each of our algorithms.
            yield f"edit-{nth}-{length}", jwt({}, "." * length, edit)


def jwt(header, claims, edit):
    return b"\n".join([*(json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)), edit])


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
    seeds["jwt"] = dict(jwts())
    for target, inputs in seeds.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs.items():
            if content is not None:
                (folder / f"recorded-{name}").write_bytes(content)


if __name__ == "__main__":
    main()
