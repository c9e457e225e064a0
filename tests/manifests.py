#!/usr/bin/env python3
"""Checks the configurations for clusters in docs/protect against the schemas of those who read them, which Go fetches as
modules. No cluster is started.

Needs PyYAML, jsonschema_rs, and Go. A field that a schema does not know is a fault, which a cluster would only drop.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema_rs
import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PAGES = ("envoy-gateway.md", "istio.md", "ingress-nginx.md")
MODULES = {
    "github.com/envoyproxy/gateway": "v1.9.1",
    "sigs.k8s.io/gateway-api": "v1.4.0",
    "istio.io/api": "v1.32.0",
    "k8s.io/ingress-nginx": "v0.0.0-20240708192948-52c50467d67d",
}
DEFINITIONS = (
    ("github.com/envoyproxy/gateway", "charts/gateway-crds-helm/templates/generated/*.yaml"),
    ("sigs.k8s.io/gateway-api", "config/crd/standard/*.yaml"),
    ("istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"),
)
ANNOTATION = "nginx.ingress.kubernetes.io/"


def fetched():
    """The folder of each module."""
    folders = {}
    with tempfile.TemporaryDirectory() as elsewhere:
        for module, version in MODULES.items():
            command = ["go", "mod", "download", "-json", f"{module}@{version}"]
            done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
            found = json.loads(done.stdout or "{}")
            if "Dir" not in found:
                print(f"LEFT OUT: the schemas of {module}: {found.get('Error') or done.stderr.strip()}")
                sys.exit(0)
            folders[module] = pathlib.Path(found["Dir"])
    return folders


def schemas(folders):
    """The schema of each kind, by its API version and name."""
    found = {}
    for module, pattern in DEFINITIONS:
        for file in folders[module].glob(pattern):
            # Helm's conditions stand on lines of their own.
            text = "\n".join(line for line in file.read_text().splitlines() if not line.startswith("{{"))
            for definition in yaml.safe_load_all(text):
                if not definition or definition.get("kind") != "CustomResourceDefinition":
                    continue
                spec = definition["spec"]
                for version in spec["versions"]:
                    name = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                    found[name] = strict(version["schema"]["openAPIV3Schema"], is_root=True)
    return found


def strict(schema, is_root=False):
    """The same schema, which knows no other fields."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items() if key != "format"}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open and not is_root:
        result["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
    if is_root:
        result["required"] = ["apiVersion", "kind", "metadata", "spec"]
        result["properties"]["metadata"] = {
            "type": "object",
            "required": ["name", "namespace"],
            "properties": {"name": {}, "namespace": {}, "annotations": {"type": "object"}},
            "additionalProperties": False,
        }
    return result


def providers(folders):
    """The fields of an extension provider of Istio's mesh configuration, which is no resource."""
    proto = (folders["istio.io/api"] / "mesh/v1alpha1/config.proto").read_text()
    message = proto.split("message EnvoyExternalAuthorizationHttpProvider {", 1)[1].split("\n    }\n", 1)[0]
    names = re.findall(r"^ +(?:repeated )?(?:map<[^>]+>|[\w.]+) (\w+) = \d+", message, re.M)
    return {re.sub(r"_(\w)", lambda match: match[1].upper(), name) for name in names}


def annotations(folders):
    sources = (folders["k8s.io/ingress-nginx"] / "internal/ingress/annotations").rglob("*.go")
    return {name for source in sources for name in re.findall(r'= +"([a-z0-9-]+)"', source.read_text())}


def documents(page):
    text = (REPOSITORY / "docs/protect" / page).read_text()
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S):
        yield from yaml.safe_load_all(block)


def faults(folders):
    known, fields, names = schemas(folders), providers(folders), annotations(folders)
    for page in PAGES:
        for document in documents(page):
            if "extensionProviders" in document:
                for provider in document["extensionProviders"]:
                    for name in provider["envoyExtAuthzHttp"].keys() - fields:
                        yield f"{page}: Istio knows no {name} of a provider"
                continue
            kind = (document["apiVersion"], document["kind"])
            if kind == ("networking.k8s.io/v1", "Ingress"):
                for name in document["metadata"].get("annotations", {}):
                    if name.removeprefix(ANNOTATION) not in names:
                        yield f"{page}: ingress-nginx knows no annotation {name}"
            elif kind not in known:
                yield f"{page}: there is no schema of {' '.join(kind)}"
            else:
                for error in jsonschema_rs.validator_for(known[kind]).iter_errors(document):
                    place = "/".join(str(step) for step in error.instance_path)
                    yield f"{page}: {document['kind']} {document['metadata']['name']}: {place}: {error.message}"


def main():
    found = list(faults(fetched()))
    print("\n".join(found) or f"{len(PAGES)} pages for clusters, as their schemas have it")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
