"""The package for Debian and Ubuntu."""

import hashlib
import os
import pathlib
import subprocess
import tempfile

from . import files as contents

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CONTROL = """\
Package: doorward
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: systemd | systemd-standalone-sysusers | systemd-sysusers
Recommends: ca-certificates
Section: net
Priority: optional
Description: OAuth server where unknown clients register
 Programs that no one registered in advance become OAuth clients by Dynamic
 Client Registration (RFC 7591) or by a client metadata document. People sign
 in at an OpenID Provider, and allow or deny each client.
"""
POSTINST = f"""\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    systemd-sysusers doorward.conf
    if [ -z "$2" ]; then
{contents.FIRST_INSTALL}
    fi
{contents.RESTART}
fi
"""
PRERM = f"""\
#!/bin/sh
set -e
if [ "$1" = remove ]; then
{contents.STOP}
fi
"""
# Clients and keys outlive the package: a purge by mistake loses nothing.
POSTRM = """\
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
if [ "$1" = purge ] && [ -d /var/lib/doorward ]; then
    echo "doorward: clients and keys remain in /var/lib/doorward. To delete them, run: rm -r /var/lib/doorward"
fi
"""


def maintainer():
    """Reads who built the package from the environment, as Debian's tools do; without it, the package is a local build."""
    name, email = os.environ.get("DEBFULLNAME", "Local build"), os.environ.get("DEBEMAIL", "root@localhost")
    return f"{name} <{email}>"


def build(files, version, machine, time, folder):
    """Writes the package into a folder, and returns its path."""
    architecture = ARCHITECTURES[machine]
    version = version.replace("-", "~")
    package = folder / f"doorward_{version}_{architecture}.deb"
    size = sum(len(content) for content, _ in files.values()) // 1024
    sums = "".join(f"{hashlib.md5(content).hexdigest()}  {path}\n" for path, (content, _) in files.items())
    control = {
        "control": (CONTROL.format(version=version, architecture=architecture, size=size, maintainer=maintainer()), 0o644),
        "conffiles": (f"/{contents.SETTINGS}\n", 0o644),
        "md5sums": (sums, 0o644),
        "postinst": (POSTINST, 0o755), "prerm": (PRERM, 0o755), "postrm": (POSTRM, 0o755),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        contents.write(files, root)
        contents.write({f"DEBIAN/{file}": (text.encode(), mode) for file, (text, mode) in control.items()}, root)
        for parent in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            parent.chmod(0o755)
        subprocess.run(
            ["dpkg-deb", f"-Z{compressor()}", "--root-owner-group", "--build", root, package],
            check=True, stdout=subprocess.DEVNULL, env=os.environ | {"SOURCE_DATE_EPOCH": str(time)},
        )  # fmt: skip
    return package


def compressor():
    """The one that every Debian and Ubuntu in support can read, unless `dpkg-deb`'s own variable names another."""
    return os.environ.get("DPKG_DEB_COMPRESSOR_TYPE", "xz")
