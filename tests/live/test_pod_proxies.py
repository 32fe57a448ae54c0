"""Pods' calls that a proxy on the node sends on: two lines, one call.

The node is a namespace with a pod's behind its bridge. Its rules redirect the pod's connection, as
kube2iam's and a mesh's do; a program of that name asks IMDS, as it does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.errors import LabError
from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.bridged import BRIDGE, Network, network
from tests.live.watch import DEADLINE_S, Line, Watch, eventually, new_marker

PORT = 8181
SIDECAR_UID = 1337  # istio-proxy's
AGENT = "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
# As Go's ReverseProxy, which kube2iam and kiam use: method, path, query and user agent stay. On a
# connection of its own, because IMDS refuses tokens to what has X-Forwarded-For.
FORWARDER = f"""#!{sys.executable}
import http.client, http.server

class Forwarder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_on(self):
        imds = http.client.HTTPConnection("{IMDS_IPV4}", 80, timeout=30)
        imds.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            imds.putheader(name, value)
        if self.command == "GET" and "x-aws-ec2-metadata-token" not in self.headers:
            imds.putheader("X-Forwarded-For", self.client_address[0])
        imds.endheaders()
        answer = imds.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = send_on

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", {PORT}), Forwarder).serve_forever()
"""
DNAT = f"""table ip nat {{
  chain to_proxy {{
    type nat hook prerouting priority -100
    iifname "{BRIDGE}" ip daddr {IMDS_IPV4} tcp dport 80 dnat to 10.8.0.1:{PORT}
  }}
}}"""
REDIRECT = f"""table ip nat {{
  chain to_proxy {{
    type nat hook output priority -100
    ip daddr {IMDS_IPV4} tcp dport 80 meta skuid != {SIDECAR_UID} redirect to :{PORT}
  }}
}}"""


@pytest.fixture
def node() -> Iterator[Network]:
    """Return a node, a pod behind its bridge, and IMDS; root of the node asks by nobody."""
    with network() as made:
        if shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip("nft is not installed: apt install nftables")
        yield made


def _rules(namespace: LabNamespace, rules: str) -> None:
    try:
        namespace.run(["nft", "-f", "-"], text_in=rules)
    except LabError as error:
        if "Error: Could not process rule" not in str(error):
            raise
        pytest.skip(f"the kernel does not translate addresses: {error}")


@contextlib.contextmanager
def _proxy(namespace: LabNamespace, name: str, *prefix: str) -> Iterator[int]:
    """Run the forwarder by a name; returns its pid."""
    with tempfile.TemporaryDirectory() as folder:  # which another user may enter
        Path(folder).chmod(0o755)
        program = Path(folder) / name
        program.write_text(FORWARDER)
        program.chmod(0o755)
        running = namespace.popen([*prefix, str(program)])
        try:
            eventually("the proxy listens", lambda: _listens(namespace), DEADLINE_S)
            yield running.pid
        finally:
            running.terminate()
            running.wait()


def _listens(namespace: LabNamespace) -> bool:
    with namespace.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


def _curl(namespace: LabNamespace, path: str, *options: str) -> str:
    address = f"http://{IMDS_IPV4}{path}"
    done = namespace.run(["curl", "-sS", "-m", "30", "-A", AGENT, *options, address])
    return done.stdout


def _token(namespace: LabNamespace) -> str:
    ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60"
    return _curl(namespace, "/latest/api/token", "-X", "PUT", "-H", ttl)


def _pair(watch: Watch, marker: str, proxy_pid: int) -> tuple[Line, Line]:
    """Return the pod's line and the proxy's."""
    lines = eventually(
        "both calls are written",
        lambda: (found := watch.requests(marker)) and len(found) >= 2 and found,
    )
    assert len(lines) == 2, lines
    (own,) = [line for line in lines if line["process"]["pid"] == proxy_pid]
    (pods,) = [line for line in lines if line["process"]["pid"] != proxy_pid]
    return pods, own


def _report(log: Path) -> Any:
    """Return the report in JSON."""
    command = [sys.executable, "-m", "analyzer", "report", "--format", "json", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def _groups(report: Any) -> dict[str, Any]:
    return {entry["program"].rpartition("/")[2]: entry for entry in report["callers"]}


def test_a_pods_call_through_a_proxy_of_the_node_counts_once(
    node: Network, one_probe: str, tmp_path: Path
) -> None:
    """The caller is the pod, kube2iam its way; what kube2iam asks for itself stays its own."""
    _rules(node.host, DNAT)
    watch = Watch(one_probe, node.host, tmp_path)
    own_marker = new_marker()
    with watch.running(), _proxy(node.host, "kube2iam") as pid:
        for marker in (new_marker(), new_marker()):
            _curl(node.guest, f"/latest/meta-data/{marker}?x=1")
            pods, own = _pair(watch, marker, pid)
            assert (pods["imds"]["through"], own["imds"]["sent_on"]) == ("kube2iam", True)
            assert (pods["imds"]["version"], own["imds"]["version"]) == ("v1", "v1")
            assert own["http"]["request"]["forwarded_for"] == pods["source"]["ip"]
        assert _token(node.guest)
        asked = eventually(
            "both token requests are written",
            lambda: (found := watch.requests("/api/token")) and len(found) == 2 and found,
        )
        # The pod's answer has the proxy's TTL, not IMDS's.
        assert [("through" in each["imds"], "hop_limit" in each["imds"]) for each in asked] == [
            (False, True),
            (True, False),
        ]
        # The proxy's own call, with no pod behind it: by its name, as it is a call like any other.
        own_program = tmp_path / "bin" / "kube2iam"
        own_program.parent.mkdir()
        shutil.copy("/usr/bin/curl", own_program)
        node.host.run(
            [
                str(own_program),
                "-s",
                "-m",
                "30",
                f"http://{IMDS_IPV4}/latest/meta-data/{own_marker}",
            ]
        )
        (alone,) = eventually("it is written", lambda: watch.requests(own_marker))
        assert not {"through", "sent_on"} & alone["imds"].keys()
    assert watch.stop() == 0
    groups = _groups(_report(watch.log))
    assert groups["curl"]["requests"] == {"v1": 2, "v2": 1, "unknown": 0}
    assert (groups["curl"]["through"], groups["curl"]["through_requests"]) == ("kube2iam", 3)
    assert groups["kube2iam"]["requests"] == {"v1": 1, "v2": 0, "unknown": 0}


def test_a_call_through_a_sidecar_counts_once(
    node: Network, one_probe: str, tmp_path: Path
) -> None:
    """The sidecar is in the pod's own network, and asks as a user that no rule redirects."""
    _rules(node.guest, REDIRECT)
    watch = Watch(one_probe, node.host, tmp_path)
    user = ("setpriv", "--reuid", str(SIDECAR_UID), "--clear-groups")
    with watch.running(), _proxy(node.guest, "envoy", *user) as pid:
        marker = new_marker()
        _curl(node.guest, f"/latest/meta-data/{marker}")
        pods, own = _pair(watch, marker, pid)
        assert (pods["imds"]["through"], own["imds"]["sent_on"]) == ("Envoy", True)
    groups = _groups(_report(watch.log))
    assert groups["curl"]["requests"]["v1"] == 1
    assert "envoy" not in groups
