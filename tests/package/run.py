#!/usr/bin/env python3
"""Installs what packaging/release makes, and runs it.

A Debian root (debootstrap) gets a package with a lower version. The server in it registers a client; an upgrade
keeps settings and clients; a removal keeps them too. The container image runs with `runc`, without root and on a
read-only root file system. Both contain the debug build: no part of `./check` waits for a release build. Needs root. A
check whose tool is missing is left out, and a line says so.
"""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parents[1] / "packaging")]

from doorward import BINARY, ENVIRONMENT, ROOT, Doorward, Fault  # noqa: E402
from releasing import image  # noqa: E402

DEBIAN = FOLDER / ".cache/debian"
CHARTS = FOLDER / ".cache/charts"
PYTHON = FOLDER / ".cache/python/bin/python"
CLIENT = {"client_name": "My first client", "redirect_uris": ["http://localhost:8765/callback"]}
# Packages are compressed for those who download them.
UNCOMPRESSED = ENVIRONMENT | {"DPKG_DEB_COMPRESSOR_TYPE": "none"}


def run(*command, env=ENVIRONMENT):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, env=env)
    if done.returncode != 0:
        raise Fault(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def expect(holds, otherwise):
    if not holds:
        raise Fault(otherwise)


def release(binary, folder, *options):
    """Runs packaging/release for a binary that is built, and returns the files it lists, by suffix."""
    listed = run(ROOT / "packaging/release", "--binary", binary, "--output", folder, *options, env=UNCOMPRESSED)
    names = [line.split()[1] for line in listed.splitlines() if not line.startswith("LEFT OUT")]
    return {pathlib.Path(name).suffix: folder / name for name in names}


def register(server):
    request = urllib.request.Request(
        f"{server.url}/register", json.dumps(CLIENT).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["client_id"]


class Machine:
    """A Debian in a folder."""

    def __init__(self, folder):
        self.root = folder / "debian"
        run("cp", "--archive", DEBIAN, self.root)

    def run(self, *command):
        return run("chroot", self.root, *command)

    def as_server(self, *command):
        return run("chroot", "--userspec=doorward:doorward", self.root, *command)

    def install(self, package):
        shutil.copy(package, self.root / "tmp/package.deb")
        return self.run("dpkg", "--install", "/tmp/package.deb")

    def owner(self, path):
        """The owner, group, and mode of a path, as `ls` names them."""
        return self.run("stat", "--format=%U:%G %a", path).strip()


class Installed(Doorward):
    """The server that the package installed, with the settings of the package."""

    def __init__(self, machine, log):
        super().__init__(machine.root, log=log)
        self.machine = machine

    def command(self):
        settings = self.machine.root / "etc/doorward/doorward.toml"
        text = settings.read_text()
        for setting, port in (("listen", self.port), ("management", self.management_port)):
            text = re.sub(rf'^{setting} = .*$', f'{setting} = "127.0.0.1:{port}"', text, flags=re.MULTILINE)
        settings.write_text(text)
        return [
            "chroot", "--userspec=doorward:doorward", self.machine.root,
            "/usr/bin/doorward", "serve", "--config", "/etc/doorward/doorward.toml",
        ]  # fmt: skip


class Contained(Doorward):
    """The server in the container image, started by `runc` on a read-only root file system."""

    def __init__(self, bundle, log, volume, settings=()):
        """`volume` is the owner and the mode of the folder that is mounted at /data."""
        super().__init__(bundle, log=log)
        self.bundle = bundle
        self.name = f"doorward-{os.getpid()}"
        self.volume = volume
        self.variables = settings

    def command(self):
        file = self.bundle / "config.json"
        config = json.loads(file.read_text())
        config["root"]["readonly"] = True
        process = config["process"]
        process["terminal"] = False
        process["noNewPrivileges"] = True
        process["capabilities"] = {}
        process["env"] += [
            f"DOORWARD_SERVER__LISTEN=127.0.0.1:{self.port}",
            f"DOORWARD_SERVER__MANAGEMENT=127.0.0.1:{self.management_port}",
            "DOORWARD_SERVER__ISSUER=https://auth.example.com",
            "DOORWARD_SERVER__TLS_TERMINATED_IN_FRONT=true",
            *self.variables,
        ]
        # The network of this machine, as with `docker run --network host`.
        config["linux"]["namespaces"] = [one for one in config["linux"]["namespaces"] if one["type"] != "network"]
        data = self.bundle / "volume"
        data.mkdir()
        owner, mode = self.volume
        os.chown(data, owner, image.USER)
        data.chmod(mode)
        config["mounts"] = [one for one in config["mounts"] if one["destination"] != "/data"]
        volume = {"destination": "/data", "type": "bind", "source": str(data), "options": ["bind", "rw"]}
        config["mounts"].append(volume)
        file.write_text(json.dumps(config))
        return ["runc", "run", "--bundle", self.bundle, self.name]


# ---- checks ----------------------------------------------------------------------------------------------


def two_builds_make_the_same_files(folder, binary):
    # A small program is compressed sooner; the manual pages are those of the real one.
    small = folder / "small"
    small.write_bytes(b"#!/bin/sh\n")
    first, second = (release(small, folder / name, "--native", binary) for name in ("first", "second"))
    expect(".deb" in first, f"no package was made: {first}")
    for suffix, file in first.items():
        expect(file.read_bytes() == second[suffix].read_bytes(), f"{file.name} differs from build to build")
    # On a machine without rpmbuild there is none.
    if ".rpm" in first:
        in_rpm = set(run("rpm", "--query", "--list", "--package", first[".rpm"]).split())
        listed = run("dpkg-deb", "--contents", first[".deb"]).splitlines()
        in_deb = {line.split()[-1].removeprefix(".") for line in listed}
        missing = {path for path in in_deb if not path.endswith("/") and "zsh" not in path} - in_rpm
        expect(not missing, f"the .rpm lacks {missing}")


def the_bill_of_materials_is_valid(folder, binary):
    bill = release(binary, folder / "bill", "--only", "sbom")[".json"]
    names = {component["name"] for component in json.loads(bill.read_text())["components"]}
    expect({"hyper", "rustls", "libsqlite3-sys"} <= names, "crates are missing")
    expect(not {"proptest", "tempfile"} & names, "crates for tests are listed")
    run(PYTHON, "-c", VALIDATE, bill)


VALIDATE = """
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(pathlib.Path(sys.argv[1]).read_text())
sys.exit(str(error) if error else 0)
"""


def a_package_is_installed_upgraded_and_removed(folder, binary):
    old = release(binary, folder / "old", "--only", "deb", "--version", "0.0.1")[".deb"]
    new = release(binary, folder / "new", "--only", "deb")[".deb"]
    machine = Machine(folder)
    machine.install(old)
    for path, owner in {
        "/var/lib/doorward": "doorward:doorward 700", "/etc/doorward": "root:doorward 750",
        "/etc/doorward/doorward.toml": "root:doorward 640", "/usr/bin/doorward": "root:root 755",
        "/usr/share/man/man1/doorward.1.gz": "root:root 644",
        "/usr/share/bash-completion/completions/doorward": "root:root 644",
    }.items():  # fmt: skip
        expect(machine.owner(path) == owner, f"{path} has {machine.owner(path)}, not {owner}")
    (machine.root / "etc/doorward/company.secret").write_text("secret\n")
    machine.run("chgrp", "doorward", "/etc/doorward/company.secret")
    machine.run("chmod", "640", "/etc/doorward/company.secret")
    with Installed(machine, folder / "old.log") as server:
        before = register(server)
    settings = (machine.root / "etc/doorward/doorward.toml").read_text()

    machine.install(new)
    expect("0.0.1" not in machine.run("dpkg-query", "--show", "doorward"), "the old version is still installed")
    expect((machine.root / "etc/doorward/doorward.toml").read_text() == settings, "the upgrade changed the settings")
    with Installed(machine, folder / "new.log") as server:
        after = register(server)
        clients = machine.as_server(
            "/usr/bin/doorward", "client", "list", "--config", "/etc/doorward/doorward.toml", "--output", "jsonl"
        )
        expect({before, after} <= {json.loads(line)["client_id"] for line in clients.splitlines()}, clients)

    machine.run("dpkg", "--remove", "doorward")
    expect(not (machine.root / "usr/bin/doorward").exists(), "the removed binary is still there")
    expect((machine.root / "etc/doorward/doorward.toml").exists(), "the removal deleted the settings")
    said = machine.run("dpkg", "--purge", "doorward")
    expect(not (machine.root / "etc/doorward/doorward.toml").exists(), "the purge left the settings")
    expect(any((machine.root / "var/lib/doorward").iterdir()), "the purge deleted clients")
    expect("/var/lib/doorward" in said, f"the purge did not say where clients are: {said}")


def systemd_accepts_the_unit(folder, _):
    # The program and the user are there once the package is.
    unit = folder / "doorward.service"
    text = (ROOT / "packaging/doorward.service").read_text()
    unit.write_text(text.replace("ExecStart=doorward", "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
    faults = [line for line in done.stderr.splitlines() if "doorward.service" in line]
    expect(not faults, "\n".join(faults))


def the_image_runs_without_root_on_a_read_only_file_system(folder, binary):
    listed = re.findall(r"(/\S+) \(0x", run("ldd", binary))
    libraries = {path.lstrip("/"): (pathlib.Path(path).read_bytes(), 0o755) for path in listed}
    archive = folder / "image.tar"
    archive.write_bytes(image.build(binary, "test", "x86_64", int(time.time()), libraries))
    layout = folder / "layout"
    layout.mkdir()
    run("tar", "--extract", "--file", archive, "--directory", layout)
    # Docker gives a new volume the owner and mode of the folder in the image. Kubernetes makes it the group's.
    for name, volume, settings in [
        ("docker", (image.USER, 0o700), []),
        ("kubernetes", (0, 0o2775), ["DOORWARD_STORE=/data/store"]),
    ]:
        bundle = folder / name
        run("umoci", "unpack", "--image", f"{layout}:test", bundle)
        expect(stat.S_IMODE((bundle / "rootfs/data").stat().st_mode) == 0o700, "others can read the data folder")
        with Contained(bundle, folder / f"{name}.log", volume, settings) as server:
            register(server)
            run("runc", "exec", server.name, *image.HEALTH)
            user = pathlib.Path(f"/proc/{server_process(bundle)}/status").read_text()
            expect(f"Uid:\t{image.USER}\t" in user, f"the server runs as another user: {user}")


def server_process(bundle):
    states = json.loads(run("runc", "list", "--format", "json"))
    return next(state["pid"] for state in states if state["bundle"] == str(bundle))


def the_chart_renders_what_the_server_accepts(folder, binary):
    chart = ROOT / "packaging/helm"
    metrics_only = folder / "metrics-only.yaml"
    metrics_only.write_text("issuer: https://auth.example.com\nnetworkPolicy: { enabled: false }\n"
                            "serviceMonitor: { enabled: true }\n")  # fmt: skip
    sets = [*sorted((chart / "examples").glob("*.yaml")), metrics_only]
    for values, rendered in zip(sets, run(CHARTS, chart, *sets).splitlines(), strict=True):
        manifests = {}
        for manifest in json.loads(rendered):
            manifests.setdefault(manifest["kind"], []).append(manifest)
        many = "Deployment" in manifests
        for kind in ("Job", "PodDisruptionBudget"):
            expect((kind in manifests) == many, f"{values.name}: {list(manifests)}")
        [server] = manifests["Deployment" if many else "StatefulSet"]
        settings = folder / f"{values.stem}.toml"
        settings.write_text(manifests["ConfigMap"][0]["data"]["doorward.toml"])
        [container] = server["spec"]["template"]["spec"]["containers"]
        secrets = {"DOORWARD_RATE_LIMIT__REDIS": "redis://redis:6379"}
        variables = {
            one["name"]: one.get("value") or secrets.get(one["name"], "s" * 64) for one in container["env"]
        }
        run(binary, "config", "check", "--config", settings, env=ENVIRONMENT | variables)
        store = "postgres://doorward@db:5432/doorward" if many else "/data/store"
        expect(variables["DOORWARD_STORE"] == store, f"{values.name}: the store is {variables['DOORWARD_STORE']}")
        expect(container["securityContext"]["readOnlyRootFilesystem"], f"{values.name}: the root is writable")


def the_chart_rejects_values_that_contradict_each_other(folder, _):
    for values, fault in {
        "{}": "issuer: set the public URL",
        "{issuer: 'https://a.example', replicas: 2}": "replicas: the embedded store has one server",
        "{issuer: 'https://a.example', postgres: {enabled: true}}": "postgres.url: set the URL",
    }.items():
        file = folder / "values.yaml"
        file.write_text(values)
        done = subprocess.run([CHARTS, ROOT / "packaging/helm", file], capture_output=True, text=True, timeout=60)
        expect(done.returncode != 0 and fault in done.stderr, f"{values}: {done.stdout}{done.stderr}")


CHECKS = {
    two_builds_make_the_same_files: ["dpkg-deb"],
    the_bill_of_materials_is_valid: [PYTHON],
    systemd_accepts_the_unit: ["systemd-analyze"],
    the_chart_renders_what_the_server_accepts: [CHARTS],
    the_chart_rejects_values_that_contradict_each_other: [CHARTS],
    a_package_is_installed_upgraded_and_removed: ["chroot", "dpkg-deb", DEBIAN],
    the_image_runs_without_root_on_a_read_only_file_system: ["runc", "umoci"],
}


def lacking(tools):
    if os.geteuid() != 0:
        return "this needs root"
    for tool in tools:
        if not (tool.exists() if isinstance(tool, pathlib.Path) else shutil.which(tool)):
            return f"{tool.relative_to(ROOT) if isinstance(tool, pathlib.Path) else tool} is not there"
    return None


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="doorward-package-") as name:
        binary = pathlib.Path(name) / "doorward"
        run("strip", "--strip-debug", "-o", binary, BINARY)
        for check, tools in CHECKS.items():
            title = check.__name__.replace("_", " ")
            if reason := lacking(tools):
                print(f"LEFT OUT: {title} ({reason})")
                continue
            folder = pathlib.Path(name) / check.__name__
            folder.mkdir()
            begun = time.monotonic()
            try:
                check(folder, binary)
                passed += 1
                print(f"{title}: ok ({time.monotonic() - begun:.1f} s)")
            except Exception as fault:
                failed += 1
                print(f"{title}: FAILED: {fault}")
                for log in folder.glob("*.log"):
                    print(log.read_text(errors="replace"))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
