"""`imds-analyzer replay`: what it writes of captures, whole and damaged, of files and pipes."""

from __future__ import annotations

import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from scapy.layers.l2 import CookedLinux, CookedLinuxV2

from analyzer.recorder.clock import CaptureClock
from analyzer.recorder.sources.captures.capture_file import DamagedError
from analyzer.recorder.sources.captures.one_file import CaptureFile
from analyzer.recorder.sources.captures.replay import PcapSource
from tests.command_line import command_line
from tests.packets import V1, V2, conversation, ethernet, pcap
from tests.unit.asleep import wait_until_asleep
from tests.unit.recorder.sources.captures.test_capture_file import block, interface, packet, section

S = 1_000_000_000
DEADLINE_S = 20.0
BEGIN_NS = 1_795_287_001_000_000_000  # 2026-11-21T18:50:01Z
FRAMES = [ethernet(each) for each in conversation(V1)]
OTHERS = [ethernet(each) for each in conversation(V2, port=50000)]


class Replayed:
    """One run of the command."""

    def __init__(self, *arguments: object, standard_input: bytes = b"") -> None:
        done = command_line("replay", *map(str, arguments), standard_input=standard_input)
        self.code = done.returncode
        self.said = done.stderr.decode()
        self.lines: list[dict[str, Any]] = [json.loads(each) for each in done.stdout.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    @property
    def outcomes(self) -> list[tuple[str, Optional[str]]]:
        return [
            (line["imds"]["version"], line["imds"].get("outcome"))
            for line in self.of("imds_request")
        ]


@contextmanager
def replaying(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Have the command run while the block does, and no longer."""
    with subprocess.Popen(
        [sys.executable, "-m", "analyzer", "replay", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        # What waits for a line of a process that hangs must end, too.
        watch = threading.Timer(DEADLINE_S, process.kill)
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            process.kill() if sys.exc_info()[0] else process.wait(DEADLINE_S)


def wait_until_it_reads(pid: int) -> None:
    """Wait until a process that was just started minds signals, and waits for what is to come."""

    def minds_signals() -> bool:
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    wait_until_asleep(pid, "it minds signals", minds_signals)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(FRAMES, begin_ns=BEGIN_NS))
    return path


def test_times_are_the_captures(capture: Path) -> None:
    """All of them: of the requests, of the beginning, of the end."""
    run = Replayed(capture)
    assert (run.code, run.said) == (0, "")
    times = [line["timestamp"][17:23] for line in run.lines]
    assert times == ["01.000", "01.003", "01.009", "01.009"]
    assert run.of("analyzer_stopped")[0]["uptime_s"] == 0.009
    assert run.of("capture_read")[0]["packets"] == 10


def test_the_host_is_told_where_it_is_given(capture: Path) -> None:
    """A capture does not tell; this one is not it."""
    assert all("host" not in line for line in Replayed(capture).lines)
    named = Replayed("--host", "ip-10-0-3-7", capture)
    assert all(line["host"] == {"name": "ip-10-0-3-7"} for line in named.lines)


def test_nobody_is_named(capture: Path) -> None:
    """Not even wrongly; the address is all there is."""
    (line,) = Replayed(capture).of("imds_request")
    assert "process" not in line
    assert line["source"] == {"ip": "10.0.3.7", "port": 41234}
    assert line["observer"]["probe"] == "packet/pcap"


def test_several_files_go_on_one_into_the_next(tmp_path: Path) -> None:
    """As tcpdump -C and -G leave them; a connection may lie in both."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(pcap(FRAMES[:4], begin_ns=BEGIN_NS))
    second.write_bytes(gzip.compress(pcap(FRAMES[4:], begin_ns=BEGIN_NS + S)))
    run = Replayed(first, second)
    assert run.outcomes == [("v1", "success")]
    assert [line["packets"] for line in run.of("capture_read")] == [4, 6]


def test_an_earlier_capture_is_another_one(tmp_path: Path) -> None:
    """The same addresses and ports mean nothing then."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(pcap(FRAMES[:4], begin_ns=BEGIN_NS))
    second.write_bytes(pcap(FRAMES, begin_ns=BEGIN_NS - 3600 * S))
    run = Replayed(first, second)
    assert run.outcomes == [("v1", None), ("v1", "success")]


def _cooked(version: int, kind: int, interface: int, packet: Any) -> bytes:
    cooked: Any = (
        CookedLinux(pkttype=kind, lladdrtype=interface)
        if version == 1
        else CookedLinuxV2(pkttype=kind, ifindex=interface, lladdrtype=interface)
    )
    return bytes(cooked / packet)


@pytest.mark.parametrize(("version", "link_type"), [(1, 113), (2, 276)])
def test_of_all_interfaces_a_passage_is_one_request(
    tmp_path: Path, version: int, link_type: int
) -> None:
    """From a container in, and out again with the host's address: it is the container's."""
    received, outgoing, ethernet_type = 0, 4, 1
    frames = []
    for host in conversation():
        guest = host.copy()
        is_asked = host.dport == 80
        setattr(guest, "src" if is_asked else "dst", "172.17.0.2")
        way = [(received, guest), (received, guest), (outgoing, host)]
        if not is_asked:
            way = [(received, host), (outgoing, guest), (outgoing, guest)]
        frames += [_cooked(version, kind, ethernet_type, each) for kind, each in way]
    path = tmp_path / "any.pcap"
    path.write_bytes(pcap(frames, link_type=link_type, step_ns=1000))
    run = Replayed(path)
    assert run.outcomes == [("v1", "success")]
    (line,) = run.of("imds_request")
    assert line["source"]["ip"] == "172.17.0.2"
    assert line["network"] == {"forwarded": True}


@pytest.mark.parametrize(("version", "link_type"), [(1, 113), (2, 276)])
def test_what_goes_through_lo_is_the_hosts_own(
    tmp_path: Path, version: int, link_type: int
) -> None:
    """There every packet is sent and received."""
    loopback = 772
    frames = [_cooked(version, kind, loopback, each) for each in conversation() for kind in (4, 0)]
    path = tmp_path / "any.pcap"
    path.write_bytes(pcap(frames, link_type=link_type, step_ns=1000))
    run = Replayed(path)
    assert run.outcomes == [("v1", "success")]
    assert "network" not in run.of("imds_request")[0]


def test_waiting_is_done_in_the_captures_time(tmp_path: Path) -> None:
    """An answer that is late is none; one that would have come after the end is not known."""
    path = tmp_path / "late.pcap"
    path.write_bytes(pcap(FRAMES, begin_ns=BEGIN_NS, step_ns=2 * S))
    assert Replayed(path).outcomes == [("v1", "success")]
    assert Replayed("--response-wait", "1", path).outcomes == [("v1", "no_response")]
    path.write_bytes(pcap(FRAMES[:4], begin_ns=BEGIN_NS))
    assert Replayed(path).outcomes == [("v1", None)]


def test_a_capture_of_hours_has_heartbeats(tmp_path: Path) -> None:
    """So that a report knows what time is covered."""
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(FRAMES + OTHERS, begin_ns=BEGIN_NS, step_ns=45 * S))
    run = Replayed(path)
    beats = run.of("heartbeat")
    covered = sum(line["interval_s"] for line in beats)
    assert run.of("analyzer_stopped")[0]["uptime_s"] == 19 * 45
    assert 19 * 45 - covered < 60
    assert sum(sum(line["requests"].values()) for line in beats) <= 2


@pytest.mark.parametrize("is_packed", [True, False])
def test_of_a_damaged_file_what_is_readable_is_written(
    tmp_path: Path, capture: Path, is_packed: bool
) -> None:
    """Then the place of the damage; and the other files are read all the same."""
    path = tmp_path / "damaged"
    whole = pcap(FRAMES + OTHERS, begin_ns=BEGIN_NS)
    cut = whole[:-100]
    path.write_bytes(gzip.compress(whole)[:-60] if is_packed else cut)
    run = Replayed(path, capture)
    assert run.code == 2
    assert run.outcomes[0] == ("v1", "success")
    damaged, good = run.of("capture_read")
    assert damaged["level"] == "warning"
    assert damaged["reason"] in run.said
    assert str(path) in run.said
    assert good["packets"] == 10
    if not is_packed:
        offset = len(whole) - 16 - len(OTHERS[-1])
        offset -= 16 + len(OTHERS[-2])
        assert f"at byte {offset}" in run.said
        assert "18 packets before it were read" in run.said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"%PDF-1.7 and so on", "neither pcap nor pcapng"),
        (b"\x28\xb5\x2f\xfd....", "zstd -dc FILE | imds-analyzer replay -"),
        (b"\x1f\x8b\x08\x00 no gzip", "the compressed file is cut off"),
        (gzip.compress(pcap(FRAMES))[:90] + bytes(40), "the compressed file is damaged"),
    ],
)
def test_what_is_no_capture_is_said(tmp_path: Path, data: bytes, said: str) -> None:
    """With what to do."""
    path = tmp_path / "x"
    path.write_bytes(data)
    run = Replayed(path)
    assert run.code == 2
    assert said in run.said
    assert "Traceback" not in run.said
    assert [line["event"] for line in run.lines] == [
        "analyzer_started",
        "capture_read",
        "analyzer_stopped",
    ]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_packed_a_file_is_seen_however_it_is_read(size: int) -> None:
    """A pipe may give one byte at first."""
    capture = pcap(FRAMES)

    def read(data: bytes) -> CaptureFile:
        file = CaptureFile("x")
        try:
            for begin in range(0, len(data), size):
                for each in file.unpack(data[begin : begin + size]):
                    file.packets += len(file.recording.feed(each))
            for each in file.unpack(b""):
                file.packets += len(file.recording.feed(each))
        except DamagedError as damage:
            file.fail(damage)
        file.finish()
        return file

    for packed in (capture, gzip.compress(capture), gzip.compress(capture) * 2):
        file = read(packed)
        assert file.packets >= len(FRAMES)
    for magic, program in (
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh9", "bzip2"),
    ):
        assert f"{program} -dc FILE" in str(read(magic + bytes(100)).error)
        for cut in range(1, 3):
            assert "no capture" in str(read(magic[:cut]).error)
    assert "no capture" in str(read(b"\x1f").error)


def test_a_file_that_is_not_there() -> None:
    """Is told by its name."""
    run = Replayed("/nowhere/x.pcap")
    assert run.code == 2
    assert "/nowhere/x.pcap" in run.said
    assert run.lines == []


def test_a_terminal_is_no_capture() -> None:
    """Nobody would type one."""
    leader, follower = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "analyzer", "replay", "-"],
            stdin=follower,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2
    assert "Pipe a capture in" in done.stderr


def test_what_ails_a_file_is_not_laid_to_the_next(tmp_path: Path, capture: Path) -> None:
    """Also where the next one is read before the end of the damaged one is decoded."""
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"GIF89a, say")
    read: list[tuple[int, bool]] = []

    def file_read(file: CaptureFile) -> None:
        read.append((file.packets, file.error is None))

    source = PcapSource(
        [str(damaged), str(capture)], CaptureClock(), begun=lambda: None, file_read=file_read
    )
    queue = source.read(1 << 20)
    for raw in queue:
        list(source.decode(raw))
    queue = source.read(1 << 20) + source.read(1 << 20) + source.read(1 << 20)
    assert [len(each) for each in queue] == [0, capture.stat().st_size, 0]
    for raw in queue:
        list(source.decode(raw))
    assert source.is_ended
    assert read == [(0, False), (len(FRAMES), True)]
    source.close()


def test_unreadable_packets_are_lost_and_said(tmp_path: Path) -> None:
    """A snapshot length below the headers, and a link type that nobody knows."""
    short, odd = tmp_path / "short", tmp_path / "odd"
    short.write_bytes(pcap(FRAMES, snapshot_bytes=40))
    odd.write_bytes(pcap(FRAMES, link_type=65000))
    run = Replayed(short, odd)
    lost = {line["reason"]: line["count"] for line in run.of("events_lost")}
    assert lost == {"cut_headers": 10, "unknown_link": 10}
    assert all(line["since"].startswith("2026-11-21T18:50:01") for line in run.of("events_lost"))
    assert run.of("analyzer_stopped")[0]["lost"] == 20


def test_losses_are_said_whatever_the_time(tmp_path: Path) -> None:
    """Also of a capture that begins at the clock's first second, as one without a clock does."""
    path = tmp_path / "short"
    path.write_bytes(pcap(FRAMES, snapshot_bytes=40, begin_ns=0))
    run = Replayed(path)
    (lost,) = run.of("events_lost")
    assert (lost["reason"], lost["count"]) == ("cut_headers", 10)
    assert run.lines[0]["timestamp"].startswith("1970-01-01T00:00:00.00")


def test_packets_without_a_time_are_said(tmp_path: Path) -> None:
    """Nothing can be told of them."""
    path = tmp_path / "simple.pcapng"
    body = struct.pack("<I", len(FRAMES[0])) + FRAMES[0]
    simple = block("<", 3, body)
    path.write_bytes(section() + interface() + simple + packet("<", 0, 7, FRAMES[1]))
    (read,) = Replayed(path).of("capture_read")
    assert (read["level"], read["packets"], read["packets_without_time"]) == ("warning", 1, 1)


@pytest.mark.parametrize("damaged_us", [0, 2**64 - 1])
@pytest.mark.parametrize("at", range(1, len(FRAMES)))
def test_one_damaged_time_ends_no_wait(tmp_path: Path, damaged_us: int, at: int) -> None:
    """Whichever packet has it; all that can be known of them is written."""
    path = tmp_path / "damaged.pcapng"
    times_us = [BEGIN_NS // 1000 + index * 1000 for index in range(len(FRAMES))]
    times_us[at] = damaged_us
    packets = map(packet, "<" * len(FRAMES), [0] * len(FRAMES), times_us, FRAMES)
    path.write_bytes(section() + interface() + b"".join(packets))
    run = Replayed(path)
    assert (run.code, run.said, run.outcomes) == (0, "", [("v1", "success")])
    assert run.of("heartbeat") == []
    assert {line["timestamp"][:19] for line in run.lines} == {"2026-11-21T18:50:01"}
    (read,) = run.of("capture_read")
    assert (read["level"], read["packets_without_time"]) == ("warning", 1)


@pytest.mark.parametrize("ticks", [2**60, 2**40])
def test_times_that_cannot_be_are_said(tmp_path: Path, ticks: int) -> None:
    """A resolution of seconds where microseconds are meant: no line is of the year 36812."""
    path = tmp_path / "far.pcapng"
    seconds = interface(options=struct.pack("<HHB3x", 9, 1, 0))
    packets = (packet("<", 0, ticks + index, frame) for index, frame in enumerate(FRAMES))
    path.write_bytes(section() + seconds + b"".join(packets))
    run = Replayed(path)
    assert (run.code, run.said, run.outcomes) == (0, "", [])
    (read,) = run.of("capture_read")
    assert (read["level"], read["packets"], read["packets_without_time"]) == ("warning", 0, 10)


def test_a_pipe_is_written_as_it_comes() -> None:
    """A request that is answered is a line before the pipe is closed."""
    with subprocess.Popen(
        [sys.executable, "-m", "analyzer", "replay", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        whole = pcap(FRAMES + OTHERS)
        half = len(pcap(FRAMES))
        for part, events in ((whole[:half], 2), (whole[half:], 1)):
            process.stdin.write(part)
            process.stdin.flush()
            for _ in range(events):
                line = json.loads(process.stdout.readline())
            assert line["event"] == "imds_request"
        process.stdin.close()
        rest = [json.loads(line)["event"] for line in process.stdout]
        assert rest == ["capture_read", "analyzer_stopped"]
    assert process.returncode == 0


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_signal_ends_it_in_order(signal_name: str, is_cut: bool) -> None:
    """With the totals of what was read, also where the writer goes on in the middle of a packet."""
    with replaying("-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pcap(FRAMES + OTHERS)[:-10] if is_cut else pcap(FRAMES))
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.readline()
        if is_cut:
            process.stdout.readline()
        begun_s = time.monotonic()
        process.send_signal(getattr(signal, signal_name))
        read, stopped = [json.loads(line) for line in process.stdout]
        assert time.monotonic() - begun_s < DEADLINE_S / 2
        assert (read["event"], read["level"]) == ("capture_read", "info")
        assert read["packets"] == (19 if is_cut else 10)
        assert read["reason"] == "stopped before its end"
        assert stopped["event"] == "analyzer_stopped"
        assert (stopped["requests"]["v1"], stopped["requests"]["v2"]) == (1, is_cut)
        assert process.stdin.closed is False
    assert process.returncode == 0


@pytest.mark.parametrize("cut_bytes", [0, 10])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_a_pipe_s_writer_ends_with_is_read(
    cut_bytes: int, pack: Callable[[bytes], bytes]
) -> None:
    """The signal that ends this one has ended it, too; a packet that it left cut is no damage."""
    whole = pack(pcap(FRAMES + OTHERS, begin_ns=BEGIN_NS))
    begin = 24 if pack is bytes else 10
    with replaying("-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(whole[:begin])
        process.stdin.flush()
        wait_until_it_reads(process.pid)
        process.send_signal(signal.SIGINT)
        wait_until_asleep(process.pid, "it was told")
        process.stdin.write(whole[begin : len(whole) - cut_bytes])
        process.stdin.close()
        events = {line["event"]: line for line in map(json.loads, process.stdout)}
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert events["analyzer_stopped"]["requests"] == {"v1": 1, "v2": 1, "unknown": 0}
    read = events["capture_read"]
    assert read["level"] == "info"
    assert read.get("reason") == ("stopped before its end" if cut_bytes else None)


def test_damage_is_told_of_a_pipe_that_was_stopped_too() -> None:
    """Only the end of it is the signal's doing."""
    with replaying("-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pcap(FRAMES))
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdin.write(b"\xff" * 100)
        process.stdin.close()
        events = {line["event"]: line for line in map(json.loads, process.stdout)}
    assert process.returncode == 2
    assert "which none has" in events["capture_read"]["reason"]


def test_a_signal_ends_the_reading_of_a_file_at_once(tmp_path: Path) -> None:
    """And it is said that this was not all of it; of files not begun nothing is."""
    path = tmp_path / "large.pcap"
    some = pcap(FRAMES * 200, begin_ns=BEGIN_NS, step_ns=S // 10)
    path.write_bytes(some + some[24:] * 309)
    with replaying(path, path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        lines = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    (read,) = [line for line in lines if line["event"] == "capture_read"]
    assert (read["level"], read["reason"]) == ("info", "stopped before its end")
    assert read["packets"] < 310 * 200 * len(FRAMES)


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_wait_for_a_named_pipe(
    tmp_path: Path, capture: Path, signal_name: str
) -> None:
    """Also where nobody has ever opened it."""
    os.mkfifo(tmp_path / "fifo")
    with replaying(capture, tmp_path / "fifo") as process:
        assert process.stdout is not None
        events = [json.loads(process.stdout.readline())["event"] for _ in range(3)]
        assert events == ["analyzer_started", "imds_request", "capture_read"]
        process.send_signal(getattr(signal, signal_name))
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert rest[-1]["event"] == "analyzer_stopped"
    assert rest[-1]["requests"]["v1"] == 1


def test_a_named_pipe_is_read_until_its_writer_ends(tmp_path: Path, capture: Path) -> None:
    """It has not ended before there was one."""
    names = [tmp_path / "1", tmp_path / "2"]
    for name in names:
        os.mkfifo(name)
    with replaying(capture, *names) as process:
        assert process.stdout is not None
        for _ in range(3):
            line = process.stdout.readline()
        third = [ethernet(each) for each in conversation(V1, port=50001)]
        for name, frames in zip(names, (OTHERS, third)):
            assert json.loads(line)["event"] == "capture_read"
            time.sleep(0.3)
            data = pcap(frames, begin_ns=BEGIN_NS + S)
            with name.open("wb", buffering=0) as writer:
                for part in (data[:100], data[100:]):
                    writer.write(part)
                    time.sleep(0.1)
            assert json.loads(process.stdout.readline())["event"] == "imds_request"
            line = process.stdout.readline()
        assert json.loads(line)["packets"] == len(FRAMES)
        (stopped,) = map(json.loads, process.stdout)
        assert (stopped["requests"]["v1"], stopped["requests"]["v2"]) == (2, 1)
    assert process.returncode == 0


def test_run_knows_nothing_of_it(capture: Path, tmp_path: Path) -> None:
    """Neither scapy nor the reader is loaded by the daemon; scapy not by plain captures either."""
    program = "import sys, analyzer.commands.{0}, analyzer.recorder.pipeline; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program.format("run")], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert (
        not {
            "scapy",
            "analyzer.recorder.sources.captures.replay",
            "analyzer.recorder.sources.packets",
        }
        & loaded
    )
    log = tmp_path / "log.jsonl"
    replay = (
        "import sys; from analyzer.cli import cli\n"
        f"cli(['replay', {str(capture)!r}, '--log-file', {str(log)!r}], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", replay], capture_output=True, text=True, check=True
    )
    assert "scapy" not in done.stdout.split()
    assert log.read_text().count("\n") == 4


def test_a_report_on_what_was_replayed(tmp_path: Path) -> None:
    """Callers go by their address; whose capture it is, is missing until it is said."""
    path, log = tmp_path / "both.pcap", tmp_path / "imds.jsonl"
    path.write_bytes(pcap([*FRAMES, *OTHERS], begin_ns=BEGIN_NS))
    for options, host in ([], "(capture)"), (["--host", "web-1"], "web-1"):
        log.unlink(missing_ok=True)
        assert Replayed(path, "--log-file", log, *options).code == 0
        done = command_line("report", "--format", "json", str(log))
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["input"]["damaged"] == 0
        (verdict,) = report["hosts"]
        assert verdict["name"] == host
        codes = {each["code"] for each in verdict["verdict"]["reasons"]}
        assert ("unnamed_capture" in codes) == (host == "(capture)")
        assert {each["program"] for each in report["callers"]} == {"(from 10.0.3.7)"}
        (v1,) = (each for each in report["callers"] if each["requests"]["v1"])
        assert v1["hosts"] == [host]
