"""The package for Fedora, RHEL, and SUSE."""

import pathlib
import subprocess
import tempfile

from . import files as contents

SPEC = """\
Name: doorward
Version: {version}
Release: 1
Summary: OAuth server where unknown clients register
License: Apache-2.0
Requires(post): systemd
AutoReqProv: no

%description
Programs that no one registered in advance become OAuth clients by Dynamic
Client Registration (RFC 7591) or by a client metadata document. People sign
in at an OpenID Provider, and allow or deny each client.

%install
cp -a {root}/. %{{buildroot}}

%post
systemd-sysusers doorward.conf
if [ "$1" = 1 ]; then
{first_install}
fi

%posttrans
{restart}

%preun
if [ "$1" = 0 ]; then
{stop}
fi

%files
%dir /etc/doorward
%config(noreplace) %attr(0640, root, root) /{settings}
{files}
"""
MACROS = {
    "_build_id_links": "none",
    "_binary_payload": "w9.gzdio",
    "_buildhost": "reproducible",
    "__os_install_post": "%{nil}",
    "build_mtime_policy": "clamp_to_source_date_epoch",
    "clamp_mtime_to_source_date_epoch": "1",
    "debug_package": "%{nil}",
    "use_source_date_epoch_as_buildtime": "1",
}


def build(files, version, machine, time, folder):
    """Writes the package into a folder, and returns its path."""
    with tempfile.TemporaryDirectory() as name:
        top = pathlib.Path(name)
        root = top / "root"
        contents.write(files, root)
        version = version.replace("-", "~")
        spec = SPEC.format(
            version=version, root=root, settings=contents.SETTINGS, first_install=contents.FIRST_INSTALL,
            restart=contents.RESTART, stop=contents.STOP,
            files="\n".join(f"/{path}" for path in files if path != contents.SETTINGS),
        )  # fmt: skip
        (top / "doorward.spec").write_text(spec)
        macros = MACROS | {"_topdir": name, "_rpmdir": str(top / "made")}
        defines = [word for key, value in macros.items() for word in ("--define", f"{key} {value}")]
        subprocess.run(
            ["rpmbuild", "-bb", "--quiet", "--target", f"{machine}-linux", *defines, top / "doorward.spec"],
            check=True, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": name, "SOURCE_DATE_EPOCH": str(time)},
        )  # fmt: skip
        [made] = (top / "made").rglob("*.rpm")
        package = folder / made.name
        package.write_bytes(made.read_bytes())
    return package
