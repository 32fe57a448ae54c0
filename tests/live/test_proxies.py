"""Real proxies in a network namespace: what they send on is what the report takes them for.

They are Debian's, as far as they are installed, or unpacked below ``IMDS_ANALYZER_TEST_ROOT``
(LD_LIBRARY_PATH then names their libraries). Their requests go through the recorder's parser and
``imds-analyzer report``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.watch import eventually
from tests.unit.report.diagnosis.recorded import FIREFOX, ROLE, Asked, Who, diagnosis

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

DEADLINE_S = 30
ROOT = os.environ.get("IMDS_ANALYZER_TEST_ROOT", "")
BOTO = "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
TARGET = f"http://{IMDS_IPV4}{ROLE}"
PORT = 3128
# Takes one request, and prints what came.
LISTENER = f"""
import socket, sys
listener = socket.create_server(("{IMDS_IPV4}", 80))
print("ready", flush=True)
connection, _ = listener.accept()
head = b""
while b"\\r\\n\\r\\n" not in head:
    head += connection.recv(65536)
connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
sys.stdout.buffer.write(head)
"""
SQUID = f"""
http_port 127.0.0.1:{PORT}
http_access allow all
pid_filename none
cache deny all
access_log none
cache_log /dev/null
netdb_filename none
mime_table {ROOT}/usr/share/squid/mime.conf
error_directory {ROOT}/usr/share/squid-langpack/en
icon_directory {ROOT}/usr/share/squid/icons
unlinkd_program /bin/true
logfile_daemon /bin/true
coredump_dir none
pinger_enable off
visible_hostname proxy
cache_effective_user nobody
cache_store_log none
logfile_rotate 0
shutdown_lifetime 0 seconds
"""
TINYPROXY = f"Port {PORT}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nMaxClients 10\n"
HAPROXY = f"""
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend all
  bind 127.0.0.1:{PORT}
  option forwardfor
  default_backend imds
backend imds
  server imds {IMDS_IPV4}:80
"""
NGINX = f"""
daemon off;
pid FOLDER/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path FOLDER/1; proxy_temp_path FOLDER/2; fastcgi_temp_path FOLDER/3;
  uwsgi_temp_path FOLDER/4; scgi_temp_path FOLDER/5;
  server {{ listen 127.0.0.1:{PORT}; location / {{ proxy_pass http://{IMDS_IPV4}; }} }}
}}
"""


class Proxy(NamedTuple):
    """A proxy: its program, its options, and its configuration."""

    program: str
    options: tuple[str, ...]
    configuration: str
    is_forward: bool


PROXIES = {
    "squid": Proxy("/usr/sbin/squid", ("-N", "-f"), SQUID, True),
    "tinyproxy": Proxy("/usr/bin/tinyproxy", ("-d", "-c"), TINYPROXY, True),
    "haproxy": Proxy("/usr/sbin/haproxy", ("-db", "-f"), HAPROXY, False),
    "nginx": Proxy("/usr/sbin/nginx", ("-c",), NGINX, False),
}


@pytest.fixture
def namespace() -> Iterator[LabNamespace]:
    with LabNamespace() as made:
        yield made


def sent_on(namespace: LabNamespace, folder: Path, proxy: Proxy, agent: str) -> bytes:
    """Return the request that a proxy sends on to the metadata service."""
    program = Path(f"{ROOT}{proxy.program}")
    if not program.exists():
        pytest.skip(f"{proxy.program} is not installed")
    folder.chmod(0o777)  # some give up root
    file = folder / "configuration"
    file.write_text(proxy.configuration.replace("FOLDER", str(folder)))
    listener = namespace.popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE)
    assert listener.stdout is not None
    with listener, (folder / "said").open("wb") as said:
        assert listener.stdout.readline() == b"ready\n"
        running = namespace.popen(
            [str(program), *proxy.options, str(file)], stdout=said, stderr=said
        )
        try:
            eventually("the proxy listens", lambda: _listens(namespace), DEADLINE_S)
            way = ["-x", f"http://127.0.0.1:{PORT}", TARGET]
            if not proxy.is_forward:
                way = [f"http://127.0.0.1:{PORT}{ROLE}"]
            namespace.run(["curl", "-sS", "-m", "30", "-A", agent, *way], timeout_s=DEADLINE_S)
            return listener.stdout.read()
        finally:
            listener.kill()
            running.terminate()
            running.wait()


def _listens(namespace: LabNamespace) -> bool:
    with namespace.socket(socket.AF_INET) as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize(
    ("agent", "cause"), [(BOTO, "proxy"), (FIREFOX, "request_forgery")], ids=["sdk", "browser"]
)
def test_a_proxys_request_is_recognised(
    name: str, agent: str, cause: str, namespace: LabNamespace, tmp_path: Path
) -> None:
    """An SDK's is its client's; a browser's is an incident."""
    proxy = PROXIES[name]
    folder = tmp_path / "proxy"
    folder.mkdir()
    tmp_path.chmod(0o755)
    head = sent_on(namespace, folder, proxy, agent)
    said = diagnosis(tmp_path, Asked(Who(proxy.program, unit=f"{name}.service"), "", head=head))
    assert said["cause"] == cause
