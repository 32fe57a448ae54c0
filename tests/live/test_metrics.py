"""Metrics of a running analyzer: what is counted is what is in its log."""

from __future__ import annotations

import collections
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from analyzer.config.rules import TcpAddress, UnixAddress
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import REQUIRED
from tests.live.watch import Watch, eventually, new_marker
from tests.metrics import fetch, free_port, parsed

# Asks over and over, and does not wait for one answer before the next question.
FLOOD = """
import socket, sys, time
while True:
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(sys.argv[1])
        client.sendall(b"GET /metrics HTTP/1.1\\r\\n\\r\\n")
    except OSError:
        time.sleep(0.001)
    client.close()
"""

pytestmark = pytest.mark.usefixtures("late")

Counts = collections.Counter[tuple[str, ...]]  # by version, provider, outcome and name


def in_log(watch: Watch) -> Counts:
    return collections.Counter(
        (
            line["imds"]["version"],
            line["imds"]["provider"],
            line["imds"].get("outcome", "unknown"),
            line["imds"]["caller"]["program"],
        )
        for line in watch.lines("imds_request")
    )


def in_page(text: str) -> Counts:
    keys = ("version", "provider", "outcome", "process")
    return collections.Counter(
        {
            tuple(dict(labels)[key] for key in keys): int(count)
            for (name, labels), count in parsed(text).items()
            if name == "imds_analyzer_requests_total"
        }
    )


def send(watch: Watch, number: int) -> None:
    """Send v1 and v2 requests, and another cloud's; return when they are written."""
    marker = new_marker()
    token = "X-aws-ec2-metadata-token: x\r\n"
    with watch.connect() as client:
        for index in range(number):
            header = token if index % 3 else ""
            client.sendall(f"GET /latest/{marker}/{index} HTTP/1.1\r\n{header}\r\n".encode())
            client.recv(4096)
        client.sendall(f"GET /computeMetadata/v1/{marker} HTTP/1.1\r\n\r\n".encode())
        client.recv(4096)
    eventually("all are written", lambda: len(watch.requests(marker)) == number + 1)


class Late(NamedTuple):
    """An analyzer that has a textfile later than it wants it."""

    watch: Watch
    textfile: Path


@pytest.fixture(scope="module")
def late(
    one_probe: str,
    namespace: LabNamespace,
    imds: ImdsProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Late]:
    """Return it once it has failed and nothing is in its way any more.

    It runs from the first test of this module on: that it tries again takes ten seconds.
    """
    assert imds.listening
    directory = tmp_path_factory.mktemp("late")
    textfile = directory / "collector" / "imds.prom"
    config = directory / "config.toml"
    config.write_text(f'[metrics]\ntextfile = "{textfile}"\ninterval_s = 1\n')
    watch = Watch(one_probe, namespace, directory)
    with watch.running("--config", str(config), required=one_probe in REQUIRED):
        send(watch, 7)
        eventually("it is told", lambda: watch.lines("metrics_failed"))
        textfile.parent.mkdir()
        yield Late(watch, textfile)


def test_what_is_served_and_written_is_what_is_logged(fresh: Watch, tmp_path: Path) -> None:
    """Endpoint, textfile and embedded metrics agree with the log's lines to the last one."""
    address = TcpAddress("127.0.0.1", free_port())
    textfile, emf = tmp_path / "imds.prom", tmp_path / "emf.jsonl"
    config = tmp_path / "config.toml"
    config.write_text(
        f'[metrics]\nprometheus = "{address}"\ntextfile = "{textfile}"\n'
        f'emf = true\nemf_file = "{emf}"\ninterval_s = 1\n'
    )
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        send(fresh, 31)
        eventually("the endpoint has all", lambda: in_page(fetch(address)) == in_log(fresh))
        eventually("the textfile has all", lambda: in_page(textfile.read_text()) == in_log(fresh))
        page = fetch(address)
        assert f'probe="{fresh.probe}"' in page
        assert 'imds_analyzer_events_lost_total{reason="ring_buffer_full"} 0.0' in page
        assert fresh.stop() == 0
    assert not textfile.exists()
    with pytest.raises(ConnectionRefusedError):
        fetch(address)
    by_name: collections.Counter[tuple[str, str]] = collections.Counter()
    for line in fresh.lines_of(emf):
        if line["event"] == "metrics" and "ProcessName" in line:
            by_name[line["ImdsVersion"], line["ProcessName"]] += line["Requests"]
    logged: collections.Counter[tuple[str, str]] = collections.Counter()
    for (version, _, _, name), count in in_log(fresh).items():
        logged[version, name] += count
    assert by_name == logged
    assert fresh.lines()[-1]["event"] == "analyzer_stopped"


def test_nothing_is_loaded_or_served_unless_it_is_wanted(fresh: Watch) -> None:
    """Without [metrics] there is no thread, no listener and no library in memory."""
    with fresh.running(required=fresh.probe in REQUIRED):
        assert fresh.process is not None
        proc = Path(f"/proc/{fresh.process.pid}")
        assert len(list((proc / "task").iterdir())) == 1
        links = []
        for fd in (proc / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                links.append(str(fd.readlink()))
        assert links
        assert "metrics" not in "".join(links)


def test_a_reload_turns_metrics_on_moves_them_and_turns_them_off(
    fresh: Watch, tmp_path: Path
) -> None:
    """Counts go on when the address changes; what is unavailable is refused and said."""
    config = tmp_path / "config.toml"
    config.write_text("[metrics]\n")
    path = tmp_path / "metrics.sock"
    port = free_port()

    def reload(text: str, event: str = "configuration_reloaded") -> None:
        assert fresh.process is not None
        before = len(fresh.lines(event))
        config.write_text(f"[metrics]\n{text}\n")
        fresh.process.send_signal(signal.SIGHUP)
        eventually(event, lambda: len(fresh.lines(event)) > before)

    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        send(fresh, 3)
        reload(f'prometheus = "unix:{path}"')
        before = in_log(fresh)
        send(fresh, 5)
        # Those from before there were metrics are not counted.
        eventually(
            "the rest is counted",
            lambda: in_page(fetch(UnixAddress(str(path)))) == in_log(fresh) - before,
        )
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            reload(f'prometheus = "127.0.0.1:{port}"', "configuration_rejected")
        assert "already in use" in fresh.lines("configuration_rejected")[0]["reason"]
        assert in_page(fetch(UnixAddress(str(path)))) == in_log(fresh) - before
        reload(f'prometheus = "127.0.0.1:{port}"')
        assert in_page(fetch(TcpAddress("127.0.0.1", port))) == in_log(fresh) - before
        assert not path.exists()
        reload("")
        with pytest.raises(ConnectionRefusedError):
            fetch(TcpAddress("127.0.0.1", port))


@pytest.fixture
def flood(tmp_path: Path) -> Iterator[UnixAddress]:
    """Return where another process asks for metrics as fast as it can."""
    path = tmp_path / "metrics.sock"
    scraper = subprocess.Popen([sys.executable, "-c", FLOOD, str(path)])
    try:
        yield UnixAddress(str(path))
    finally:
        scraper.kill()
        scraper.wait()


def test_a_flood_of_scrapes_costs_no_request(
    fresh: Watch, flood: UnixAddress, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[metrics]\nprometheus = "{flood}"\n')
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        send(fresh, 1001)
        assert fresh.stop() == 0
    assert fresh.lines()[-1]["lost"] == 0


def test_an_output_that_cannot_be_had_stops_no_capture(late: Late) -> None:
    """It is told, and there as soon as it can be."""
    watch, textfile = late
    assert "no directory" in watch.lines("metrics_failed")[0]["reason"]
    eventually("it is there", lambda: watch.lines("metrics_restored"))
    eventually("it has all", lambda: in_page(textfile.read_text()) == in_log(watch))
