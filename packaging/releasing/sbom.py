"""What a binary consists of: a bill of materials (CycloneDX), and the licenses that must come with it."""

import datetime
import json
import pathlib
import tomllib
import uuid

from .binary import ROOT, output

LICENSE_FILES = ("LICENSE*", "LICENCE*", "COPYING*", "COPYRIGHT*", "NOTICE*")


class Crates:
    """The crates that are linked into the binary for a target, without those that only builds and tests need."""

    def __init__(self, target):
        found = json.loads(output("cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target))
        packages = {package["id"]: package for package in found["packages"]}
        self.needs = {}
        open_ends = [found["resolve"]["root"]]
        nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
        while open_ends:
            crate = open_ends.pop()
            if crate not in self.needs:
                self.needs[crate] = sorted(need["pkg"] for need in nodes[crate]["deps"] if is_linked(need))
                open_ends += self.needs[crate]
        self.root = packages[found["resolve"]["root"]]
        linked = (packages[crate] for crate in self.needs)
        self.all = sorted(linked, key=lambda crate: (crate["name"], crate["version"]))

    def others(self):
        return [crate for crate in self.all if crate is not self.root]


def is_linked(need):
    return any(kind["kind"] is None for kind in need["dep_kinds"])


def url(crate):
    return f"pkg:cargo/{crate['name']}@{crate['version']}"


def bill(crates, target, time):
    """The bill of materials as JSON."""
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    sums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in locked}
    urls = {crate["id"]: url(crate) for crate in crates.all}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{url(crates.root)}?target={target}&time={time}')}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(time, datetime.UTC).isoformat(),
            "component": component(crates.root, None) | {"type": "application"},
            "properties": [{"name": "rust:target", "value": target}],
        },
        "components": [component(crate, sums[crate["name"], crate["version"]]) for crate in crates.others()],
        "dependencies": [
            {"ref": urls[crate["id"]], "dependsOn": [urls[need] for need in crates.needs[crate["id"]]]}
            for crate in crates.all
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def component(crate, checksum):
    described = {"type": "library", "bom-ref": url(crate), "name": crate["name"], "version": crate["version"],
                 "purl": url(crate)}  # fmt: skip
    if crate["license"]:
        # Older manifests write "/" for OR.
        described["licenses"] = [{"expression": crate["license"].replace("/", " OR ")}]
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def licenses(crates):
    """The text of each license once, below the crates that it covers."""
    covered = {}
    for crate in crates.others():
        folder = pathlib.Path(crate["manifest_path"]).parent
        for file in sorted({file for form in LICENSE_FILES for file in folder.glob(form) if file.is_file()}):
            names = covered.setdefault(file.read_text(errors="replace").strip(), [])
            names.append(f"{crate['name']} {crate['version']}")
    line = "=" * 80
    return "\n".join(f"{line}\n{', '.join(names)}\n{line}\n\n{text}\n" for text, names in covered.items())
