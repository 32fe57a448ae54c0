"""Where metrics can be served."""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path

import pytest

from analyzer.errors import ConfigError
from analyzer.sinks.metrics.address import Address, listen, parse_address
from tests.unit.test_jsonl import umask


@pytest.mark.parametrize(
    ("text", "family", "where"),
    [
        ("127.0.0.1:9469", socket.AF_INET, ("127.0.0.1", 9469)),
        ("0.0.0.0:1", socket.AF_INET, ("0.0.0.0", 1)),  # noqa: S104 -- nothing listens
        ("[::1]:65535", socket.AF_INET6, ("::1", 65535, 0, 0)),
        ("[::]:9469", socket.AF_INET6, ("::", 9469, 0, 0)),
        ("unix:/run/imds-analyzer/metrics.sock", socket.AF_UNIX, "/run/imds-analyzer/metrics.sock"),
    ],
)
def test_addresses_are_read(text: str, family: socket.AddressFamily, where: object) -> None:
    assert parse_address(text) == Address(family, where, text)


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", ":9469"),
        *("localhost:9469", "::1:9469", "[127.0.0.1]:9469", "[::1]", "127.1:9469", "127.0.0.1:-1"),
        *("127.0.0.1:٣", "a\0b:1", "unix:", "unix:run/x.sock", "unix:/run/", "unix:/a\0b"),
        "unix:/" + "x" * 107,
    ],
)
def test_what_is_no_address_is_an_error_that_shows_the_forms(text: str) -> None:
    """Names of hosts are none either: a start must not wait for a name server."""
    with pytest.raises(ConfigError, match=re.escape("127.0.0.1:9469, [::1]:9469 or unix:/")):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_an_error_that_says_so(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with listen(Address(family, (host, 0), "any")) as first:
        taken = Address(family, first.getsockname(), "the same")
        with pytest.raises(ConfigError, match="cannot listen on the same: .*in use"):
            listen(taken)


def test_an_address_the_host_does_not_have_is_an_error() -> None:
    with pytest.raises(ConfigError, match="No interface of this host"):
        listen(parse_address("192.0.2.1:9469"))


class TestUnixSocket:
    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
    def test_it_is_for_owner_and_group_whatever_the_umask(self, tmp_path: Path, mask: int) -> None:
        path = tmp_path / "sock"
        with umask(mask), listen(parse_address(f"unix:{path}")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660

    def test_a_stale_one_is_replaced(self, tmp_path: Path) -> None:
        """What a killed analyzer left does not keep the next from starting."""
        address = parse_address(f"unix:{tmp_path / 'sock'}")
        listen(address).close()
        assert (tmp_path / "sock").is_socket()
        with listen(address), socket.socket(socket.AF_UNIX) as client:
            client.connect(address.where)

    def test_one_in_use_is_left_alone(self, tmp_path: Path) -> None:
        address = parse_address(f"unix:{tmp_path / 'sock'}")
        with listen(address), socket.socket(socket.AF_UNIX) as client:
            with pytest.raises(ConfigError, match="already in use"):
                listen(address)
            client.connect(address.where)

    def test_a_file_that_is_no_socket_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "precious"
        path.write_text("data")
        with pytest.raises(ConfigError, match="no socket"):
            listen(parse_address(f"unix:{path}"))
        link = tmp_path / "link"
        link.symlink_to(path)
        with pytest.raises(ConfigError, match="no socket"):
            listen(parse_address(f"unix:{link}"))
        assert path.read_text() == "data"

    def test_a_directory_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="Make the directory first"):
            listen(parse_address(f"unix:{tmp_path}/none/sock"))

    def test_nothing_stays_open_after_an_error(self, tmp_path: Path) -> None:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(ConfigError):
            listen(parse_address(f"unix:{tmp_path}/none/sock"))
        assert len(os.listdir("/proc/self/fd")) == before
