"""The files of a release, as a map from paths to contents and modes; every package has the same ones."""

import gzip
import pathlib
import subprocess
import tempfile

from .binary import ROOT

SHELLS = {
    "bash": "usr/share/bash-completion/completions/doorward",
    "fish": "usr/share/fish/vendor_completions.d/doorward.fish",
    "zsh": "usr/share/zsh/{zsh}/_doorward",
}
SETTINGS = "etc/doorward/doorward.toml"
SYSUSERS = 'u doorward - "Doorward" /var/lib/doorward\n'

# What installers run, in either package format. The folders of secrets are for the server's group alone.
FIRST_INSTALL = """\
chown root:doorward /etc/doorward /etc/doorward/doorward.toml
chmod 750 /etc/doorward
chmod 640 /etc/doorward/doorward.toml
install -d -m 700 -o doorward -g doorward /var/lib/doorward
"""
RESTART = """\
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart doorward.service
fi
"""
STOP = """\
if [ -d /run/systemd/system ]; then
    systemctl disable --now doorward.service
fi
"""


def of_package(binary, native, licenses, zsh="vendor-completions"):
    """The files of a package for a system. `native` is a build of the same source that runs on this machine."""
    files = {
        "usr/bin/doorward": (binary.read_bytes(), 0o755),
        "usr/lib/systemd/system/doorward.service": text("packaging/doorward.service"),
        "usr/lib/sysusers.d/doorward.conf": (SYSUSERS.encode(), 0o644),
        SETTINGS: (text("packaging/doorward.toml")[0], 0o640),
        "usr/share/doc/doorward/copyright": text("LICENSE"),
        "usr/share/doc/doorward/changelog.gz": (compressed(text("CHANGELOG.md")[0]), 0o644),
        "usr/share/doc/doorward/third-party-licenses.gz": (compressed(licenses.encode()), 0o644),
    }
    for shell, path in SHELLS.items():
        script = subprocess.run([native, "completions", shell], check=True, capture_output=True).stdout
        files[path.format(zsh=zsh)] = (script, 0o644)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([native, "man", "--directory", folder], check=True, capture_output=True)
        for page in pathlib.Path(folder).iterdir():
            files[f"usr/share/man/man1/{page.name}.gz"] = (compressed(page.read_bytes()), 0o644)
    return dict(sorted(files.items()))


def text(path):
    return (ROOT / path).read_bytes(), 0o644


def compressed(content):
    """Without the time and the name, which differ from build to build."""
    return gzip.compress(content, 9, mtime=0)


def write(files, folder):
    """Puts the files below a folder."""
    for path, (content, mode) in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
