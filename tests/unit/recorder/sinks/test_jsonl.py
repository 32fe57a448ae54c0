"""The JSON-lines sink: opening, writing whole lines, and what stands in them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer import __version__
from analyzer.config.settings import LogSettings
from analyzer.errors import SinkError
from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Caller, NamedProcess, User
from analyzer.recorder.records import Classification, Record, Request, Token, Version
from analyzer.recorder.sinks import level
from analyzer.recorder.sinks.caller_text import CALLERS_BYTES_MAX, CALLERS_MAX
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from analyzer.recorder.sinks.log import BUFFER_MAX, LineLog
from analyzer.recorder.sinks.request_text import METHOD_MAX, PATH_MAX, QUERY_MAX, USER_AGENT_MAX
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.recorder.source_events import Connection
from analyzer.text import timestamp

DEADLINE_S = 60.0
# Tries to open a log, as another user where one is given, and prints what it was told.
OPEN = """
import os, sys
from analyzer.errors import SinkError
from analyzer.config.settings import LogSettings
from analyzer.recorder.sinks.jsonl import open_log

if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    open_log(LogSettings(file=sys.argv[1]))
except SinkError as error:
    print(error)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

PROCESS = NamedProcess(4242, "curl", None, ("curl",), False, 10**12, User(1001, None))
RECORD = Record(
    at_ns=1_795_000_000_123_456_789,
    process_start_at_ns=1_794_999_000_000_000_000,
    connection=Connection(1, 1, "10.0.3.7", 41234, "169.254.169.254", 80),
    tid=4242,
    request=Request("GET", "/latest/", Token.ABSENT, "curl/8", False, frozenset(), None),
    verdict=Classification(Version.V1, "metadata", "no_token_header", "aws"),
    caller=identified(Caller(PROCESS, (), False, None, None)),
)


def lines_of(path: Path) -> list[dict[str, Any]]:
    text = path.read_bytes()
    assert text.endswith(b"\n")
    return [json.loads(line) for line in text[:-1].split(b"\n")]


def written(tmp_path: Path, *records: Record) -> list[dict[str, Any]]:
    path = tmp_path / "log"
    sink = open_log(LogSettings(file=str(path)))
    for record in records:
        sink.write(record)
    sink.close()
    return lines_of(path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class TestOpening:
    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
    def test_directories_and_file_get_their_modes_whatever_the_umask(
        self, tmp_path: Path, mask: int
    ) -> None:
        """What is made is 0750 and 0640; what was there is left alone."""
        tmp_path.chmod(0o711)
        path = tmp_path / "a" / "b" / "imds.jsonl"
        with umask(mask):
            open_log(LogSettings(file=str(path))).close()
        assert mode_of(path) == 0o640
        assert mode_of(path.parent) == 0o750
        assert mode_of(path.parent.parent) == 0o750
        assert mode_of(tmp_path) == 0o711

    def test_an_existing_log_is_continued_and_keeps_its_mode(self, tmp_path: Path) -> None:
        """An operator's own permissions stay."""
        path = tmp_path / "log"
        path.write_bytes(b"{}\n")
        path.chmod(0o604)
        sink = open_log(LogSettings(file=str(path)))
        sink.write(RECORD)
        sink.close()
        assert mode_of(path) == 0o604
        first, second = lines_of(path)
        assert first == {}
        assert second["event"] == "imds_request"

    def test_a_directory_is_refused(self, tmp_path: Path) -> None:
        """The message says what it is and what to do."""
        with pytest.raises(SinkError, match=r"Is a directory\. .*name a file in it") as refused:
            open_log(LogSettings(file=str(tmp_path)))
        assert str(tmp_path) in str(refused.value)

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("", "No such file"),
            ("nul\0byte", "this is not a valid path"),
            ("x" * 300, "too long"),
            ("file/imds.jsonl", "through directories only"),
            ("file/deeper/imds.jsonl", "through directories only"),
            ("loop", "symbolic links"),
            ("new/", "Is a directory"),
        ],
    )
    def test_a_path_that_cannot_be_is_refused_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, says: str
    ) -> None:
        """Not at the first event."""
        monkeypatch.chdir(tmp_path)
        Path("file").touch()
        Path("loop").symlink_to("loop")
        with pytest.raises(SinkError, match=says):
            open_log(LogSettings(file=path))

    def test_a_pipe_without_a_reader_is_refused(self, tmp_path: Path) -> None:
        """Opening it would wait for ever."""
        path = tmp_path / "pipe"
        os.mkfifo(path)
        with pytest.raises(SinkError, match="start the reader of the pipe first"):
            open_log(LogSettings(file=str(path)))

    def test_a_pipe_with_a_reader_is_written(self, tmp_path: Path) -> None:
        """And blocks as a pipe does once it is open."""
        path = tmp_path / "pipe"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            sink = open_log(LogSettings(file=str(path)))
            sink.write(RECORD)
            sink.close()
            assert json.loads(os.read(reader, 65536))["event"] == "imds_request"
        finally:
            os.close(reader)

    @as_root
    def test_a_path_without_permission_is_refused(self, tmp_path: Path) -> None:
        """The message says to run as root or to choose another path."""
        told = subprocess.run(
            [
                sys.executable,
                "-c",
                OPEN,
                str(tmp_path / "log"),
                "65534",
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert "Permission denied. Run as root" in told.stdout

    @as_root
    def test_a_file_system_mounted_read_only_is_refused(self, tmp_path: Path) -> None:
        """In a mount namespace of its own, so that nothing of it stays."""
        told = subprocess.run(
            [
                "unshare",
                "-m",
                "sh",
                "-c",
                'mount -t tmpfs -o ro none "$1" && exec "$2" -c "$3" "$1/new/log"',
                "sh",
                str(tmp_path),
                sys.executable,
                OPEN,
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert "Read-only file system. Choose a path on a file system" in told.stdout


class TestStandardOutput:
    SCRIPT = (
        "import sys\n"
        "from analyzer.config.settings import LogSettings\n"
        "from analyzer.recorder.sinks.jsonl import open_log\n"
        "print('before')\n"
        "sink = open_log(LogSettings(sink='stdout'))\n"
        "sink.event('heartbeat', 'info', n=1)\n"
        "sink.close()\n"
        "print('after')\n"
    )

    def test_a_dash_is_standard_output(self, tmp_path: Path) -> None:
        """Closing the log leaves it open for who else uses it."""
        told = subprocess.run(
            [sys.executable, "-c", self.SCRIPT],
            check=True,
            capture_output=True,
            cwd=tmp_path,
            timeout=DEADLINE_S,
        )
        before, line, after, end = told.stdout.split(b"\n")
        assert (before, after, end) == (b"before", b"after", b"")
        assert json.loads(line)["event"] == "heartbeat"
        assert not list(tmp_path.iterdir())

    def test_a_reader_that_ended_is_an_error_that_says_so(self) -> None:
        """Not a crash trace."""
        reader, writer = os.pipe()
        os.close(reader)
        log = LineLog(StreamWriter(writer, "standard output"))
        log.append(b"{}")
        with pytest.raises(SinkError, match="Its reader has ended"):
            log.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(writer)

    def test_a_pipe_that_does_not_block_is_waited_for(self) -> None:
        """No line is lost when somebody else made the shared pipe non-blocking."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        log = LineLog(StreamWriter(writer, "standard output"))
        got = bytearray()

        def read_all() -> None:
            while True:
                data = os.read(reader, 4096)
                if not data:
                    return
                got.extend(data)

        reading = threading.Thread(target=read_all)
        lines = [b"%07d" % number + b"x" * 200 for number in range(2001)]
        log._held += b"\n".join(lines) + b"\n"  # more than the pipe holds, before anybody reads
        reading.start()
        log.close()
        reading.join(DEADLINE_S)
        os.close(reader)
        assert bytes(got).splitlines() == lines


class TestWriting:
    def test_lines_wait_for_the_flush(self, tmp_path: Path) -> None:
        """A batch costs one write."""
        path = tmp_path / "log"
        sink = open_log(LogSettings(file=str(path)))
        sink.write(RECORD)
        sink.write(RECORD)
        assert path.read_bytes() == b""
        sink.flush()
        assert len(lines_of(path)) == 2
        sink.close()
        sink.close()  # closed once more, nothing happens
        assert len(lines_of(path)) == 2

    def test_a_large_batch_is_written_before_its_flush(self, tmp_path: Path) -> None:
        """What is held in memory is bounded, and what is written are whole lines."""
        path = tmp_path / "log"
        sink = open_log(LogSettings(file=str(path)))
        for _ in range(3001):
            sink.write(RECORD)
            assert len(sink._log._held) < BUFFER_MAX
        assert len(lines_of(path)) > 1000
        sink.close()
        assert len(lines_of(path)) == 3001

    def test_a_full_device_is_an_error_that_says_what_to_do(self) -> None:
        """Opening it works; the first batch does not."""
        sink = open_log(LogSettings(file="/dev/full"))
        sink.write(RECORD)
        with pytest.raises(SinkError, match=r"No space left on device\. Free space there"):
            sink.flush()
        with pytest.raises(SinkError):
            sink.close()

    def test_a_standard_output_that_is_not_there_is_an_error(self) -> None:
        """Whatever has its descriptor meanwhile is not written to."""
        program = "from analyzer.recorder.sinks.file import open_stdout; open_stdout()"
        told = subprocess.run(
            ["sh", "-c", f"{sys.executable} -c '{program}' 2>&1 >&-"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "start the analyzer with standard output open" in told.stdout

    def test_other_errors_are_told_with_their_reason(self) -> None:
        """A closed standard output is one."""
        log = LineLog(StreamWriter(-1, "standard output"))
        log.append(b"{}")
        with pytest.raises(SinkError, match=os.strerror(errno.EBADF)):
            log.flush()


class TestLines:
    @pytest.mark.parametrize(
        ("version", "provider", "expected"),
        [
            (Version.V1, "aws", "warning"),
            (Version.UNKNOWN, "aws", "warning"),
            (Version.V2, "aws", "info"),
            (Version.V1, "gcp", "warning"),
            (Version.UNKNOWN, "azure", "warning"),
            (Version.V2, "openstack", "info"),
        ],
    )
    def test_the_level_follows_the_verdict(
        self, tmp_path: Path, version: Version, provider: str, expected: str
    ) -> None:
        """Calls without a token are warnings, whosever service they look for."""
        verdict = Classification(version, "other", "reason", provider)
        assert level(verdict) == expected
        assert written(tmp_path, RECORD._replace(verdict=verdict))[0]["level"] == expected

    @pytest.mark.parametrize(
        ("at_ns", "text"),
        [
            (0, "1970-01-01T00:00:00.000000Z"),
            (999_999_999, "1970-01-01T00:00:00.999999Z"),
            (1_795_000_000_123_456_999, "2026-11-18T11:06:40.123456Z"),
            (4_102_444_799_999_999_999, "2099-12-31T23:59:59.999999Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ],
    )
    def test_timestamps_are_cut_to_microseconds(self, at_ns: int, text: str) -> None:
        """Without a float between, which has no room for the nanoseconds of these years."""
        assert timestamp(at_ns) == text

    @pytest.mark.parametrize(
        ("target", "url"),
        [
            ("/latest/meta-data/", {"path": "/latest/meta-data/"}),
            ("/a?b=c?d#e", {"path": "/a", "query": "b=c?d#e"}),
            ("/a?", {"path": "/a"}),
            ("?q", {"query": "q"}),
            ("?", None),
            ("", None),
            (None, None),
            ("http://169.254.169.254/a?b", {"path": "http://169.254.169.254/a", "query": "b"}),
            ("*", {"path": "*"}),
            ("/sp ace\\xff", {"path": "/sp ace\\xff"}),
            (
                "/" + "p" * 5000 + "?" + "q" * 5000,
                {"path": "/" + "p" * (PATH_MAX - 1), "query": "q" * QUERY_MAX},
            ),
        ],
    )
    def test_the_target_is_split_at_its_first_question_mark(
        self, tmp_path: Path, target: str, url: object
    ) -> None:
        """Otherwise it stands as it was sent, up to a limit."""
        request = RECORD.request._replace(target=target)
        assert written(tmp_path, RECORD._replace(request=request))[0].get("url") == url

    def test_what_a_client_chooses_is_cut(self, tmp_path: Path) -> None:
        """User agents and methods have limits of their own."""
        request = RECORD.request._replace(user_agent="u" * 9999, method="M" * 9999)
        line = written(tmp_path, RECORD._replace(request=request))[0]
        assert line["user_agent"]["original"] == "u" * USER_AGENT_MAX
        assert line["http"]["request"]["method"] == "M" * METHOD_MAX

    def test_absent_facts_are_left_out(self, tmp_path: Path) -> None:
        """There is neither null nor an empty string in their place."""
        process = NamedProcess(7, "", None, None, False, 1, User(0, None))
        record = RECORD._replace(
            tid=7,
            request=Request(None, None, Token.ABSENT, None, False, frozenset(), "truncated"),
            caller=Caller(process, (), False, None, None),
        )
        line = written(tmp_path, record)[0]
        assert not {"http", "url", "user_agent", "container", "service"} & set(line)
        assert set(line["process"]) == {"pid", "start", "user"}
        assert line["process"]["user"] == {"id": "0"}

    def test_a_thread_is_told_where_it_is_not_the_process(self, tmp_path: Path) -> None:
        """The same caller's lines differ in that alone."""
        first, second, third = written(
            tmp_path, RECORD, RECORD._replace(tid=4243), RECORD._replace(tid=4244)
        )
        assert "thread" not in first["process"]
        assert second["process"].pop("thread") == {"id": 4243}
        assert third["process"].pop("thread") == {"id": 4244}
        assert first == second == third

    def test_forwarded_requests_and_cut_facts_are_flagged(self, tmp_path: Path) -> None:
        """Flags are there only when they are true."""
        request = RECORD.request._replace(forwarded=True)
        process = PROCESS._replace(args_truncated=True)
        caller = Caller(process, (process,), True, None, None)
        plain, flagged = written(tmp_path, RECORD, RECORD._replace(request=request, caller=caller))
        assert flagged["imds"]["forwarded"] is True
        assert flagged["process"]["args_truncated"] is True
        assert flagged["process"]["ancestors_truncated"] is True
        assert flagged["process"]["ancestors"][0]["args_truncated"] is True
        assert "forwarded" not in plain["imds"]
        assert "truncated" not in json.dumps(plain)

    def test_an_ancestor_that_replaced_its_executable_says_so(self, tmp_path: Path) -> None:
        """The others do not."""
        doubted = PROCESS._replace(unverified=("executable",))
        caller = RECORD.caller._replace(ancestors=(doubted, PROCESS))
        (line,) = written(tmp_path, RECORD._replace(caller=caller))
        shown = [each.get("unverified") for each in line["process"]["ancestors"]]
        assert shown == [["executable"], None]

    def test_an_ancestor_without_a_path_has_its_files_numbers(self, tmp_path: Path) -> None:
        """Whose arguments and path were lost is still known by the file; others are kept short."""
        known = PROCESS._replace(
            executable="/usr/bin/env", executable_inode=77, executable_device=254 << 20 | 3
        )
        lost = known._replace(executable=None, args=None)
        neither = lost._replace(executable_inode=0)
        caller = RECORD.caller._replace(ancestors=(known, lost, neither))
        (line,) = written(tmp_path, RECORD._replace(caller=caller))
        with_path, without, nothing = line["process"]["ancestors"]
        assert (without["executable_inode"], without["executable_device"]) == (77, "254:3")
        for each in (with_path, nothing):
            assert not {"executable_inode", "executable_device"} & set(each)

    def test_one_process_starts_once(self, tmp_path: Path) -> None:
        """The wall clock's drift against the kernel's moves no time of start."""
        later = RECORD._replace(process_start_at_ns=RECORD.process_start_at_ns + 5000)
        first, second = written(tmp_path, RECORD, later)
        assert first["process"]["start"] == second["process"]["start"]

    def test_a_clock_that_was_set_moves_the_start_too(self, tmp_path: Path) -> None:
        """No process starts after its own request because the clock went back meanwhile."""
        hour_ns = 3600 * 10**9
        earlier = RECORD._replace(
            at_ns=RECORD.at_ns - hour_ns, process_start_at_ns=RECORD.process_start_at_ns - hour_ns
        )
        first, second, third = written(tmp_path, RECORD, earlier, earlier)
        assert first["process"]["start"] > second["process"]["start"]
        assert second["process"]["start"] < second["timestamp"]
        assert third["process"] == second["process"]

    def test_more_callers_than_are_kept_ready_are_all_told_right(self, tmp_path: Path) -> None:
        """A caller that was pushed out is written anew, and a new one never as a former one."""
        records = [
            RECORD._replace(
                tid=pid, caller=RECORD.caller._replace(process=PROCESS._replace(pid=pid))
            )
            for pid in range(1, CALLERS_MAX + 100)
        ]
        lines = written(tmp_path, *records, *records)
        assert [line["process"]["pid"] for line in lines] == [each.tid for each in records] * 2

    def test_callers_with_long_arguments_are_bounded_by_their_length(self, tmp_path: Path) -> None:
        """Sixteen ancestors with all arguments that are kept make seventy thousand characters."""
        long = PROCESS._replace(args=("x" * 4096,))
        path = tmp_path / "log"
        sink = JsonlSink(LineLog(open_file(str(path))), lambda: "h", "b")
        for pid in range(1, 100):
            caller = RECORD.caller._replace(
                process=long._replace(pid=pid), ancestors=(long,) * 16, ancestors_truncated=True
            )
            sink.write(RECORD._replace(tid=pid, caller=caller))
            assert sink._callers.size_bytes <= CALLERS_BYTES_MAX
        sink.close()
        assert 40 < sink._callers.count < 120  # of each caller all of its text, and the cut one
        assert [line["process"]["pid"] for line in lines_of(path)] == list(range(1, 100))

    def test_every_line_tells_host_and_observer(self, tmp_path: Path) -> None:
        """The probe is known only after the log is open."""
        path = tmp_path / "log"
        sink = open_log(LogSettings(file=str(path)))
        sink.event("analyzer_started", "info")
        sink.set_probe("core/fentry")
        sink.write(RECORD)
        sink.event("heartbeat", "info")
        sink.close()
        started, request, heartbeat = lines_of(path)
        assert started["observer"] == {"version": __version__}
        assert request["observer"] == {"probe": "core/fentry", "version": __version__}
        assert heartbeat["observer"] == request["observer"]
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        for line in (started, request, heartbeat):
            assert line["host"] == {"name": os.uname().nodename, "boot_id": boot_id}

    def test_a_host_that_is_given_another_name_is_told_by_it(self, tmp_path: Path) -> None:
        """The service starts before cloud-init, which names the host."""
        names = ["localhost"]
        path = tmp_path / "log"
        sink = JsonlSink(LineLog(open_file(str(path))), lambda: names[-1], "b")
        sink.set_probe("core/fentry")
        sink.write(RECORD)
        names.append("ip-10-0-3-7")
        sink.tick()
        sink.write(RECORD)
        sink.close()
        first, second = lines_of(path)
        assert first["host"] == {"name": "localhost", "boot_id": "b"}
        assert second["host"] == {"name": "ip-10-0-3-7", "boot_id": "b"}
        assert second["observer"] == first["observer"]


class TestEvents:
    def test_an_event_has_its_fields_in_order(self, tmp_path: Path) -> None:
        """Empty ones are left out at any depth, zero and false are not empty."""
        path = tmp_path / "log"
        sink = JsonlSink(LineLog(open_file(str(path))), lambda: "h", "b")
        sink.event(
            "events_lost",
            "warning",
            count=0,
            since="2026-11-21T18:50:01.123456Z",
            name="any name may be a field",
            level=None,
            nested={"a": None, "b": "", "c": False, "d": {"e": None}},
        )
        sink.close()
        line = lines_of(path)[0]
        assert list(line) == [
            *("timestamp", "level", "event", "count", "since", "name", "nested"),
            *("host", "observer"),
        ]
        assert line["level"] == "warning"
        assert line["nested"] == {"c": False}

    def test_the_chain_keeps_the_bound_and_the_clock(self, tmp_path: Path) -> None:
        """An event passes all processors: its time, its level, its secrets and its length."""
        path = tmp_path / "log"
        log = LineLog(open_file(str(path)))
        sink = JsonlSink(log, lambda: "h", "b", now_ns=lambda: 1_500, line_bytes=4096)
        secret = "https://bob:Tr0ub4dor3@host/"
        sink.event("configuration_rejected", "error", reason=secret + "x" * 10_000, tried=[])
        sink.close()
        (line,) = lines_of(path)
        assert len(path.read_bytes()) <= 4096
        assert line["timestamp"] == "1970-01-01T00:00:00.000001Z"
        assert line["level"] == "error"
        assert line["reason"].startswith("https://bob:[redacted]@host/xxx")
        assert line["log"] == {"truncated": ["reason"]}

    def test_strings_of_the_operating_systems_become_text(self, tmp_path: Path) -> None:
        """A path that is not UTF-8 may come from the command line."""
        path = tmp_path / "log"
        sink = open_log(LogSettings(file=str(path)))
        sink.event("analyzer_started", "info", log_file=os.fsdecode(b"/var/\xff\xc3\xa9\x9b"))
        sink.event("analyzer_started", "error", half="\ud800 \u2028 \x9b", line="a\nb\rc\0")
        sink.close()
        first, second = lines_of(path)
        assert first["log_file"] == "/var/\\xffé\\x9b"
        assert second["half"] == "\\ud800 \u2028 \x9b"
        assert second["line"] == "a\nb\rc\0"
        for character in ("\u2028", "\x9b"):
            assert character not in path.read_text("utf-8")

    def test_what_turns_or_hides_text_stands_escaped(self, tmp_path: Path) -> None:
        """Every character of Unicode comes back; what shows as another text shows as its number."""
        path = tmp_path / "log"
        sink = open_log(LogSettings(file=str(path)))
        every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
        hiding = [
            each
            for each in every
            if unicodedata.bidirectional(each)
            in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN")
            and unicodedata.category(each) in ("Cc", "Cf")
        ]
        shown = [*'a"\\äñ日本語אبঅ🙂\u0301\xa0', *"\u200c\u200d"]
        sink.event("analyzer_started", "info", hiding=hiding)
        sink.event("analyzer_started", "info", shown=shown)
        sink.close()
        first, second = lines_of(path)
        assert (first["hiding"], second["shown"]) == (hiding, shown)
        raw_first, raw_second = path.read_text("utf-8").removesuffix("\n").split("\n")
        assert not set(hiding) & set(raw_first)
        assert set("äñ日本語אبঅ🙂\u0301\xa0") <= set(raw_second)


def test_error_texts_are_masked(tmp_path: Path) -> None:
    """They quote what was found: a setting, or a file's name."""
    path = tmp_path / "x.jsonl"
    sink = open_log(LogSettings(file=str(path)))
    reason = 'config.toml, line 3: [log] file = "https://bob:Tr0ub4dor3@host": must be a path'
    sink.event("configuration_rejected", "error", reason=reason, tried=[{"lacks": reason}])
    sink.close()
    (line,) = lines_of(path)
    assert line["reason"] == reason.replace("Tr0ub4dor3", "[redacted]")
    assert line["tried"] == [{"lacks": line["reason"]}]
