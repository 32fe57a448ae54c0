"""Where metrics can be served, and why not elsewhere."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import pytest

from analyzer.config.rules import TcpAddress, UnixAddress
from analyzer.errors import ConfigError
from analyzer.recorder.metrics.address import listen
from tests.unit.recorder.sinks.test_jsonl import umask


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_an_error_that_says_so(host: str) -> None:
    with listen(TcpAddress(host, 0)) as first:
        taken = TcpAddress(host, first.getsockname()[1])
        with pytest.raises(ConfigError, match=re.escape(f"{taken}: Address already in use")):
            listen(taken)


def test_an_address_the_host_does_not_have_is_an_error() -> None:
    with pytest.raises(ConfigError, match="No interface of this host"):
        listen(TcpAddress("192.0.2.1", 9469))


class TestUnixSocket:
    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
    def test_it_is_for_owner_and_group_whatever_the_umask(self, tmp_path: Path, mask: int) -> None:
        path = tmp_path / "sock"
        with umask(mask), listen(UnixAddress(str(path))):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660

    def test_a_stale_one_is_replaced(self, tmp_path: Path) -> None:
        """What a killed analyzer left does not keep the next from starting."""
        address = UnixAddress(str(tmp_path / "sock"))
        listen(address).close()
        assert (tmp_path / "sock").is_socket()
        with listen(address), socket.socket(socket.AF_UNIX) as client:
            client.connect(address.path)

    def test_one_in_use_is_left_alone(self, tmp_path: Path) -> None:
        address = UnixAddress(str(tmp_path / "sock"))
        with listen(address), socket.socket(socket.AF_UNIX) as client:
            with pytest.raises(ConfigError, match="already in use"):
                listen(address)
            client.connect(address.path)

    def test_a_file_that_is_no_socket_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "precious"
        path.write_text("data")
        with pytest.raises(ConfigError, match="no socket"):
            listen(UnixAddress(str(path)))
        link = tmp_path / "link"
        link.symlink_to(path)
        with pytest.raises(ConfigError, match="no socket"):
            listen(UnixAddress(str(link)))
        assert path.read_text() == "data"

    def test_a_directory_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="Make the directory first"):
            listen(UnixAddress(f"{tmp_path}/none/sock"))

    def test_nothing_stays_open_after_an_error(self, tmp_path: Path) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(ConfigError):
            listen(UnixAddress(f"{tmp_path}/none/sock"))
        assert len(list(Path("/proc/self/fd").iterdir())) == before
