"""The spelling of NO_PROXY that the report advises, with real clients, a proxy and an IMDS.

All is in a network namespace of its own. A client that asks IMDS itself gets its answer; one that
asks the proxy gets the proxy's.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.report.diagnosis.proxies import ADDRESSES

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

PROXIED = b"proxied"
PROXY = f"""
import http.server
class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write({PROXIED!r})
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
PATH = "/latest/meta-data/instance-id"
IPV4, IPV6 = f"http://{IMDS_IPV4}{PATH}", f"http://[{IMDS_IPV6}]{PATH}"
URLLIB = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read())"
REQUESTS = "import sys, requests; print(requests.get(sys.argv[1]).text)"
NET_HTTP = "puts Net::HTTP.get(URI(ARGV[0]))"
HTTP_TINY = "print HTTP::Tiny->new->get($ARGV[0])->{content}"
CLIENTS: dict[str, Sequence[str]] = {
    "curl": ("curl", "-sg"),
    "wget": ("wget", "-q", "-t", "1", "-O", "-"),
    "urllib": (sys.executable, "-c", URLLIB),
    "requests": (sys.executable, "-c", REQUESTS),
    "net-http": ("ruby", "-rnet/http", "-e", NET_HTTP),
    "http-tiny": ("perl", "-MHTTP::Tiny", "-e", HTTP_TINY),
}
BARE, IN_BRACKETS = IMDS_IPV6, f"[{IMDS_IPV6}]"


class Net(NamedTuple):
    """The namespace, with the proxy's port."""

    namespace: LabNamespace
    port: int

    def is_direct(self, client: str, url: str, no_proxy: str, name: str = "no_proxy") -> bool:
        """Tell whether a client asks IMDS itself."""
        if shutil.which(CLIENTS[client][0]) is None:
            pytest.skip(f"{CLIENTS[client][0]} is not installed")
        if client == "requests" and importlib.util.find_spec("requests") is None:
            pytest.skip("requests is not installed")
        proxy = f"http://127.0.0.1:{self.port}"
        child = self.namespace.popen(
            [*CLIENTS[client], url],
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "http_proxy": proxy, "HTTP_PROXY": proxy,
                 name: no_proxy},
        )  # fmt: skip
        with child:
            said, _ = child.communicate()
        assert child.returncode == 0
        assert said.strip()
        return PROXIED not in said


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with LabNamespace() as namespace, ImdsProcess(namespace):
        if not namespace.ipv6:
            pytest.skip("there is no IPv6 here")
        proxy = namespace.popen([sys.executable, "-c", PROXY], stdout=subprocess.PIPE)
        assert proxy.stdout is not None
        with proxy.stdout:
            try:
                yield Net(namespace, int(proxy.stdout.readline()))
            finally:
                proxy.terminate()
                proxy.wait()


@pytest.mark.parametrize("client", CLIENTS)
def test_without_it_all_ask_the_proxy(client: str, net: Net) -> None:
    """So that what follows is no accident."""
    for url in (IPV4, IPV6):
        assert not net.is_direct(client, url, "example.com")


@pytest.mark.parametrize("client", CLIENTS)
def test_the_advised_spelling_works(client: str, net: Net) -> None:
    """Ruby's Net::HTTP knows none for IPv6."""
    assert net.is_direct(client, IPV4, ADDRESSES)
    assert net.is_direct(client, IPV6, ADDRESSES) == (client != "net-http")


@pytest.mark.parametrize(
    ("client", "spelling"),
    [
        ("curl", BARE),
        ("wget", BARE),
        ("requests", BARE),
        ("urllib", IN_BRACKETS),
        ("http-tiny", IN_BRACKETS),
    ],
)
def test_neither_spelling_alone_works_for_all(client: str, spelling: str, net: Net) -> None:
    """Each client reads one of the two."""
    other = IN_BRACKETS if spelling == BARE else BARE
    assert net.is_direct(client, IPV6, spelling)
    assert not net.is_direct(client, IPV6, other)


@pytest.mark.parametrize("client", ["wget", "http-tiny"])
def test_some_read_the_small_letters_only(client: str, net: Net) -> None:
    """So that both names are to be set."""
    assert not net.is_direct(client, IPV4, ADDRESSES, "NO_PROXY")
