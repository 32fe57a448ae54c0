"""A host, a guest behind its bridge, and IMDS at its other side, each in its own namespace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace

GUEST_IPV4, HOST_IPV4 = "10.8.0.7", "10.9.0.2"
# On the host: the guest's end, the bridge, the way to IMDS.
PORT, BRIDGE, UPLINK = "port0", "bridge0", "up0"


class Network(NamedTuple):
    """Three namespaces; what the guest and the host ask goes through the host's devices."""

    host: LabNamespace
    guest: LabNamespace
    server: LabNamespace


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make it, and serve IMDS."""
    with LabNamespace() as server, LabNamespace() as host, LabNamespace() as guest:
        for each in (host, guest):
            # IMDS is elsewhere, not on their own lo.
            _ip(each, f"addr del {IMDS_IPV4}/32 dev lo")
        _ip(
            host,
            f"link add {UPLINK} type veth peer name eth0 netns {server.pid}",
            f"link add {PORT} type veth peer name eth0 netns {guest.pid}",
            f"link add {BRIDGE} type bridge",
            f"link set {PORT} master {BRIDGE}",
            *(f"link set {each} up" for each in (UPLINK, PORT, BRIDGE)),
            f"addr add {HOST_IPV4}/24 dev {UPLINK}",
            f"addr add 10.8.0.1/24 dev {BRIDGE}",
            f"route add {IMDS_IPV4}/32 via 10.9.0.1",
        )
        _ip(
            guest,
            "link set eth0 up",
            f"addr add {GUEST_IPV4}/24 dev eth0",
            "route add default via 10.8.0.1",
        )
        _ip(
            server,
            "link set eth0 up",
            "addr add 10.9.0.1/24 dev eth0",
            f"route add 10.8.0.0/24 via {HOST_IPV4}",
        )
        host.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        with ImdsProcess(server):
            yield Network(host, guest, server)


def masquerade(host: LabNamespace) -> None:
    """Have what goes out carry the host's address; raises LabError where that cannot be."""
    rules = "table ip out {\nchain behind {\ntype nat hook postrouting priority 100\n"
    host.run(["nft", "-f", "-"], text_in=f'{rules}oifname "{UPLINK}" masquerade\n}}\n}}\n')


def _ip(namespace: LabNamespace, *commands: str) -> None:
    namespace.run(["ip", "-batch", "-"], text_in="\n".join(commands) + "\n")
