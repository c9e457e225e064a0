"""The container image, as an archive in the OCI layout: the binary, certificate authorities, and a data folder.

No tool is needed to write it, and its digest depends on its contents alone.
"""

import datetime
import hashlib
import json
import ssl
import pathlib

from .archive import tar
from .files import compressed

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
USER = 65532  # the number that images without root usually have
PROGRAM = "/usr/local/bin/doorward"
# The image has no shell and no other program. A provider that is away makes no container unhealthy.
HEALTH = [PROGRAM, "--quiet", "doctor", "--offline"]
SECOND = 10**9
ACCOUNTS = {
    "etc/passwd": f"nonroot:x:{USER}:{USER}:nonroot:/data:/sbin/nologin\n",
    "etc/group": f"nonroot:x:{USER}:\n",
}


def build(binary, version, machine, time, libraries=None):
    """The archive's bytes. A binary that is not static brings its `libraries`."""
    files = {path: (text.encode(), 0o644) for path, text in ACCOUNTS.items()} | (libraries or {})
    files[PROGRAM.lstrip("/")] = (binary.read_bytes(), 0o755)
    files["etc/ssl/certs/ca-certificates.crt"] = (authorities(), 0o644)
    layer = tar(files, time, [("data", 0o700, USER), ("tmp", 0o1777, 0)])
    blobs = Blobs()
    packed = blobs.add(compressed(layer), "application/vnd.oci.image.layer.v1.tar+gzip")
    config = blobs.add_json(configuration(layer, version, machine, time), "application/vnd.oci.image.config.v1+json")
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [packed]}
    pointer = blobs.add_json(manifest, manifest_type) | {
        "annotations": {"org.opencontainers.image.ref.name": version},
        "platform": {"architecture": ARCHITECTURES[machine], "os": "linux"},
    }
    # The last one is for `docker load` of before OCI layouts.
    documents = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [pointer]},
        "manifest.json": [
            {"Config": path(config), "RepoTags": [f"doorward:{version}"], "Layers": [path(packed)]},
        ],
    }  # fmt: skip
    return tar(blobs.files | {name: (dump(document), 0o644) for name, document in documents.items()}, time)


def configuration(layer, version, machine, time):
    created = datetime.datetime.fromtimestamp(time, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "created": created,
        "architecture": ARCHITECTURES[machine],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": [
                "DOORWARD_STORE=/data",
                "DOORWARD_SERVER__LISTEN=0.0.0.0:8080",
                "DOORWARD_SERVER__MANAGEMENT=0.0.0.0:9000",
            ],
            "Entrypoint": [PROGRAM],
            "Cmd": ["serve"],
            "WorkingDir": "/data",
            "ExposedPorts": {"8080/tcp": {}, "9000/tcp": {}},
            "Volumes": {"/data": {}},
            # Docker and Podman read this. Kubernetes has probes of its own.
            "Healthcheck": {"Test": ["CMD", *HEALTH], "Interval": 30 * SECOND, "Timeout": 10 * SECOND},
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": "Doorward",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": created, "created_by": "packaging/release"}],
    }


def authorities():
    """The certificate authorities of this machine, by which providers are known."""
    paths = ssl.get_default_verify_paths()
    return pathlib.Path(paths.cafile or "/etc/ssl/certs/ca-certificates.crt").read_bytes()


def dump(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def path(descriptor):
    return f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"


class Blobs:
    """Contents by their SHA-256."""

    def __init__(self):
        self.files = {}

    def add(self, content, media_type):
        descriptor = {
            "mediaType": media_type,
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "size": len(content),
        }
        self.files[path(descriptor)] = (content, 0o644)
        return descriptor

    def add_json(self, document, media_type):
        return self.add(dump(document), media_type)
