#!/usr/bin/env python3
"""Holds packaging/compose/ to itself: what is named is there, and the balancer is the proxy that nodes trust.

Needs PyYAML. No container is started.
"""

import ipaddress
import pathlib
import re
import sys
import tomllib

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "packaging" / "compose"


def faults():
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    settings = tomllib.loads((FOLDER / "doorward.toml").read_text())
    balancing = (FOLDER / "haproxy.cfg").read_text()
    services = compose["services"]

    for name, service in services.items():
        if name != "migrate" and "test" not in service["healthcheck"]:
            yield f"{name} has no health check"
        for other in service.get("depends_on", {}):
            if other not in services:
                yield f"{name} waits for {other}, which is not there"
        for secret in service.get("secrets", []):
            if secret not in compose["secrets"]:
                yield f"{name} wants the secret {secret}, which is not there"
        files = [value for key, value in service.get("environment", {}).items() if key.endswith("_FILE")]
        for file in files:
            if file.removeprefix("/run/secrets/") not in service["secrets"]:
                yield f"{name} reads {file}, and is not given it"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not ((FOLDER / source).is_file() if source.startswith(".") else source in compose["volumes"]):
                yield f"{name} mounts {source}, which is not there"
        for network in service["networks"]:
            if network not in compose["networks"]:
                yield f"{name} is on {network}, which is not there"
    address = services["balancer"]["networks"]["inside"]["ipv4_address"]
    if settings["server"]["trusted_proxies"] != [address]:
        yield f"the nodes do not trust the balancer, {address}, alone"
    [pool] = compose["networks"]["inside"]["ipam"]["config"]
    subnet, given = (ipaddress.ip_network(pool[key]) for key in ("subnet", "ip_range"))
    if ipaddress.ip_address(address) not in subnet or ipaddress.ip_address(address) in given:
        yield f"{address} is not on the network, or may be given to another"
    nodes = {name for name in services if name.startswith("node-")}
    balanced = set(re.findall(r"^\s*server (\S+) (?:\1):8080$", balancing, re.M))
    if nodes != balanced or len(nodes) < 2:
        yield f"the nodes are {nodes}, and the balancer knows {balanced}"
    if not re.search(r"^\s*option forwardfor$", balancing, re.M):
        yield "the balancer does not say who calls"


def main():
    found = list(faults())
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
