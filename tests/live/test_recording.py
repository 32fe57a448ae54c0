"""--write-pcap: what Wireshark shows of what the analyzer saw."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.test_wire import TOKEN
from tests.live.watch import DEADLINE_S, Line, Watch, new_marker
from tests.schema import parsed

TSHARK = shutil.which("tshark")
FIELDS = (
    "frame.comment",
    "ip.src",
    "tcp.stream",
    "http.request.uri",
    "http.response.code",
    "http.user_agent",
)
SECRET = f"X-aws-ec2-metadata-token: {TOKEN}"


class Recorded(NamedTuple):
    """A packet file, the marker of what was asked meanwhile, and what the log says of that."""

    path: Path
    marker: str
    found: list[Line]


def _watch(probe: str, namespace: LabNamespace, directory: Path) -> Watch:
    watch = Watch(probe, namespace, directory)
    if probe.startswith("packet/"):
        watch.prefix = namespace.command([])
    return watch


@pytest.fixture(scope="module", params=["core/auto", "packet/af_packet"])
def way(request: pytest.FixtureRequest) -> str:
    """Return a way to record: in the kernel, and on packets."""
    name: str = request.param
    return name


@pytest.fixture
def watch(way: str, namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path) -> Watch:
    """Return an analyzer that does not run yet."""
    assert imds.listening
    return _watch(way, namespace, tmp_path)


@pytest.fixture(scope="module")
def recorded(
    way: str,
    namespace: LabNamespace,
    imds: ImdsProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Recorded:
    """Ask in several ways, and return the file when it is whole; it is only read."""
    assert imds.listening
    directory = tmp_path_factory.mktemp("recorded")
    watch, path, marker = _watch(way, namespace, directory), directory / "seen.pcapng", new_marker()
    with watch.running("--write-pcap", str(path), required=way.startswith("packet/")):
        for address in (IMDS_IPV4, IMDS_IPV6):
            with watch.connect(address) as client:
                for fields in ([SECRET], ["User-Agent: curl/8"]):
                    head = "\r\n".join([f"GET /latest/{marker} HTTP/1.1", *fields, "", ""])
                    # In two sends, cut within the secret or near it.
                    client.sendall(head[:100].encode())
                    client.sendall(head[100:].encode())
                    assert client.recv(65536)
                found = watch.settled(marker)
        with watch.connect() as client:
            client.sendall(f"GET / HTTP/1.1\r\n{SECRET}".encode())  # never ended
    return Recorded(path, marker, found)


def _tshark(path: Path, *options: str) -> list[str]:
    if TSHARK is None:
        pytest.skip("tshark is not installed: apt install tshark")
    done = subprocess.run(
        [TSHARK, "-r", str(path), *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
        # Its dissection runs lua as another user would have it.
        env={**os.environ, "HOME": str(path.parent)},
    )
    return done.stdout.splitlines()


def test_wireshark_shows_each_request_with_its_caller(recorded: Recorded) -> None:
    """The verdict where the request is whole, the status as its answer, in one stream."""
    path, marker, found = recorded
    columns = [option for field in FIELDS for option in ("-e", field)]
    rows = [line.split("\t") for line in _tshark(path, "-Y", "http", "-T", "fields", *columns)]
    asked = [row for row in rows if row[3] == f"/latest/{marker}"]
    assert len(asked) == len(found) == 4
    for (comment, source, stream, *_), line in zip(asked, found):
        assert f"IMDS {line['imds']['version']} ({line['imds']['reason']})" in comment
        assert f"(pid {os.getpid()})" in comment
        assert source == (line["source"]["ip"] if "." in line["source"]["ip"] else "")
        codes = [row[4] for row in rows if row[2] == stream and row[4]]
        assert str(line["http"]["response"]["status_code"]) in codes
    assert [row[5] for row in asked] == ["", "curl/8"] * 2
    assert not _tshark(path, "-Y", "_ws.malformed || tcp.analysis.lost_segment")


def test_no_secret_is_in_it(recorded: Recorded) -> None:
    """Neither whole nor in part, nor of an answer's body; and not everybody may read it."""
    raw = recorded.path.read_bytes()
    assert b"X-aws-ec2-metadata-token: ****" in raw
    assert not any(TOKEN[at : at + 8].encode() in raw for at in range(len(TOKEN) - 8))
    assert b"404 - Not Found" not in raw
    assert b"<?xml" not in raw
    assert recorded.path.stat().st_mode & 0o777 == 0o640


def test_replay_reads_the_same_requests_from_it(recorded: Recorded) -> None:
    """With the same versions, outcomes and times; who sent them, packets do not tell."""
    path, marker, found = recorded
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", "replay", str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    lines = [parsed(line) for line in done.stdout.splitlines()]
    again = [line for line in lines if marker in line.get("url", {}).get("path", "")]
    told_by_kernel = ("attribution", "caller")
    for line, replayed in zip(found, again):
        for part in ("imds", "http", "url", "source", "destination", "user_agent"):
            expected = line.get(part)
            if part == "imds":
                expected = {key: line[part][key] for key in line[part] if key not in told_by_kernel}
            assert replayed.get(part) == expected
    assert len(again) == len(found)


def _has(watch: Watch, marker: str, count: int) -> bool:
    return len(watch.requests(marker)) >= count


def test_when_it_is_full_the_log_says_so(watch: Watch, tmp_path: Path) -> None:
    """And goes on itself."""
    path = tmp_path / "seen.pcapng"
    marker = new_marker()
    required = watch.probe.startswith("packet/")
    with watch.running("--write-pcap", str(path), "--write-pcap-mib", "1", required=required):
        with watch.connect() as client:
            for sent in range(1, 2002):
                client.sendall(
                    f"GET /latest/{marker} HTTP/1.1\r\nUser-Agent: {'a' * 500}\r\n\r\n".encode()
                )
                assert client.recv(65536)
                # A busy machine must not fill the ring: then requests are missing.
                if sent % 200 == 0:
                    watch.hurried("it keeps up", partial(_has, watch, marker, sent))
        assert len(watch.settled(marker)) == 2001
    assert path.stat().st_size <= 1 << 20
    full, last = watch.lines("packet_file")
    assert full["lacks"] == "it has reached its size"
    assert (last["packets_written"] > 0, last["packets_not_written"] > 0) == (True, True)


def test_where_it_cannot_be_made_it_does_not_start(namespace: LabNamespace, tmp_path: Path) -> None:
    """Who asked for a capture wants one."""
    done = namespace.run(
        [
            *(sys.executable, "-m", "analyzer", "run", "--source", "packet"),
            *("--log-file", str(tmp_path / "log"), "--write-pcap", str(tmp_path / "no" / "a")),
        ],
        check=False,
    )
    assert done.returncode == 1
    assert "--write-pcap" in done.stderr
