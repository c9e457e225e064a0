"""Proxies in front of an upstream, with the configuration of their pages in `docs/protect`: as it stands there, and without
the question to the guard."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

from . import servers
from .process import WrongAnswer, free_port, pinned

START_SECONDS_MAX = 20
HOST = "tools.example"
PYTHON_PROXIES = servers.REPOSITORY / "tests/proxies/.cache/python/bin"


def documented(page, language):
    text = (servers.REPOSITORY / "docs/protect" / page).read_text()
    return text.split(f"```{language}\n", 1)[1].split("```", 1)[0].replace("mcp.example.com", HOST)


@dataclass(frozen=True)
class Setting:
    """What a proxy is started with. `guard` is None for a proxy without the guard."""

    folder: object
    port: int
    upstream: int
    guard: int | None

    def placed(self, text):
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.guard or self.upstream}")
        return text.replace("127.0.0.1:3000", f"127.0.0.1:{self.upstream}")

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)


def nginx(program, setting):
    text = setting.placed(documented("nginx.md", "nginx"))
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("ssl_"))
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{setting.port};")
    if setting.guard is None:
        text = re.sub(r"^ *auth_request.*$", "", text, flags=re.M)
        text = text.replace("$doorward_assertion", '""').replace("$doorward_challenge", '""')
    places = "".join(
        f"{name}_temp_path {setting.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As many connections as the bench opens, on both sides and to the guard.
    file = setting.write("nginx.conf", f"daemon off; master_process off; pid {setting.folder}/pid; error_log stderr;"
                         "events { worker_connections 4096; }"
                         f"http {{ access_log off; {places} {text} }}")  # fmt: skip
    return [program, "-p", str(setting.folder), "-c", file, "-e", "stderr"]


def caddy(program, setting):
    text = setting.placed(documented("caddy.md", "caddy"))
    text = text.replace(f"{HOST} {{", f"http://{HOST}:{setting.port} {{")
    if setting.guard is None:
        text = re.sub(r"^\s*forward_auth \S+ \{.*?\}", "", text, flags=re.M | re.S)
    options = "{\nadmin off\nauto_https off\npersist_config off\ndefault_bind 127.0.0.1\nlog {\nlevel ERROR\n}\n}\n"
    file = setting.write("Caddyfile", options + text)
    return [program, "run", "--config", file, "--adapter", "caddyfile"]


def haproxy(program, setting):
    script = setting.write("doorward.lua", setting.placed(documented("haproxy.md", "lua")))
    text = setting.placed(documented("haproxy.md", "haproxy"))
    text = text.replace("/etc/haproxy/doorward.lua", script)
    text = text.replace(f":443 ssl crt /etc/haproxy/{HOST}.pem", f"127.0.0.1:{setting.port}")
    if setting.guard is None:
        text = re.sub(r"^ *(http-request lua|lua-load).*$", "", text, flags=re.M)
    file = setting.write("haproxy.cfg", text)
    return [program, "-db", "-f", file]


def envoy(program, setting):
    text = documented("envoy.md", "yaml")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("transport_socket:"))
    if setting.guard is None:
        question = r" *# The question to the guard\.\n.*?(?= *- name: envoy\.filters\.http\.router)"
        text = re.sub(question, "", text, flags=re.S)
        text = re.sub(r" *typed_per_filter_config:\n.*?disabled: true\n", "", text, flags=re.S)

    def address(port):
        return f"address: 127.0.0.1, port_value: {port}"

    text = text.replace("address: 0.0.0.0, port_value: 443", address(setting.port))
    text = text.replace("address: 127.0.0.1, port_value: 8080", address(setting.guard or setting.upstream))
    text = text.replace("address: 127.0.0.1, port_value: 3000", address(setting.upstream))
    file = setting.write("envoy.yaml", setting.placed(text))
    return [program, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


# The name of each, what makes its command, and where its program may be.
ALL = {
    "nginx": (nginx, ("/usr/sbin/nginx", "nginx")),
    "Caddy": (caddy, (PYTHON_PROXIES / "caddy", "caddy")),
    "HAProxy": (haproxy, ("/usr/sbin/haproxy", "haproxy")),
    "Envoy": (envoy, (PYTHON_PROXIES / "envoy", "envoy")),
}


def program(name):
    """The program of a proxy; None where it is not installed."""
    return next((found for place in ALL[name][1] if (found := shutil.which(str(place)))), None)


@contextlib.contextmanager
def started(bench, name, upstream, guard):
    """A proxy on the core of the servers, with its port."""
    with bench.fresh_folder() as folder:
        setting = Setting(folder, free_port(), upstream, guard)
        command = ALL[name][0](program(name), setting)
        log = (bench.scratch / f"{name}.log").open("wb")
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"}, preexec_fn=pinned(bench.core),
        )  # fmt: skip
        try:
            wait_for(child, setting.port, name, bench.scratch / f"{name}.log")
            yield setting.port
        finally:
            child.kill()
            child.wait()
            log.close()


def wait_for(child, port, name, log):
    began = time.perf_counter()
    while child.poll() is None and time.perf_counter() - began < START_SECONDS_MAX:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise WrongAnswer(f"{name} does not start: {log.read_text(errors='replace')[-600:]}")
