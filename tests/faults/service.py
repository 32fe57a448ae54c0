"""An analyzer as the unit runs it: a configuration file, a log that rotates, restarts."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from tests.live.watch import ATTACH_DEADLINE_S, DEADLINE_S, SLOWNESS, eventually, start_run
from tests.schema import parsed

Line = dict[str, Any]

# Of the end of a log that is being written, to find the newest request in it.
TAIL_BYTES = 1 << 16
# What takes a second, on a machine that has other things to do.
PATIENCE_S = 120 * SLOWNESS


class Service:
    """``imds-analyzer run --config``. There is no systemd here: :meth:`restart` stands for it."""

    def __init__(self, directory: Path) -> None:
        """Take a directory, which need not be there."""
        directory.mkdir(parents=True, exist_ok=True)
        self.config = directory / "config.toml"
        self.log = directory / "log" / "imds.jsonl"
        self.ready = directory / "ready"
        self._messages = directory / "messages"
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.configure()
        # What starts it: a command that ends in becoming the one behind it.
        self.prefix: Sequence[str] = ()
        self.environment: Mapping[str, str] = {}

    def configure(self, log: str = "", capture: str = "", file: Optional[Path] = None) -> None:
        """Write the configuration: these lines of two sections, and where the log is."""
        self.config.write_text(
            f'[log]\nfile = "{file or self.log}"\n'
            # Each request is numbered, and looked for.
            f"repeats_per_s = 0\n{log}\n[capture]\n{capture}\n",
            encoding="utf-8",
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that runs, or ran last."""
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def start(self) -> None:
        """Start it and return once the probe is attached."""
        with self._messages.open("ab") as messages:
            process = self._process = start_run(
                *("--config", str(self.config), "--ready-file", str(self.ready)),
                prefix=self.prefix,
                stdout=messages,
                stderr=messages,
                env={**os.environ, **self.environment},
            )
        eventually(
            "the probe is attached",
            lambda: self._is_ready() or process.poll() is not None,
            ATTACH_DEADLINE_S,
        )
        assert process.poll() is None, self.said()

    def _is_ready(self) -> bool:
        # The file of one that was killed is still there.
        return self.ready.exists() and self.ready.read_text() == f"{self.pid}\n"

    def restart(self) -> None:
        """Do as ``Restart=on-failure`` does: it must have failed, and is started again."""
        code = self.process.wait(DEADLINE_S)
        assert code != 0
        self.start()

    def stop(self) -> None:
        """End it in order; fails unless it ends so."""
        assert self.process.poll() is None, self.said()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(6 * DEADLINE_S) == 0, self.said()

    @contextlib.contextmanager
    def running(self) -> Iterator[Service]:
        """Run it; whatever happens, it is gone afterwards."""
        try:
            self.start()
            yield self
        finally:
            if self._process is not None and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGCONT)
                self._process.terminate()
                try:
                    self._process.wait(DEADLINE_S)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()

    def said(self) -> str:
        """Return what it wrote on its standard streams."""
        return self._messages.read_text()

    def files(self) -> list[Path]:
        """Return the log's files, oldest first; while it runs they may change."""
        aside = sorted(
            each
            for each in self.log.parent.glob(f"{self.log.name}-*")
            if each.suffix in ("", ".gz") or each.name.endswith("Z")
        )
        # One that is there with and without .gz holds the same lines.
        kept = [each for each in aside if each.with_name(f"{each.name}.gz") not in aside]
        return [*kept, self.log]

    def lines(self) -> list[Line]:
        """Return all lines of all files, oldest first; fails unless each is valid JSON."""
        return [line for path in self.files() for line in lines_of(path)]

    def newest(self, marker: str) -> int:
        """Return the number of the newest request with the marker in the log, -1 for none."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                tail = log.read()
        except FileNotFoundError:  # just rotated
            return -1
        found = re.findall(rf'"path":"[^"]*{marker}/([0-9]+)"'.encode(), tail)
        return int(found[-1]) if found else -1

    def until_recorded(self, marker: str, number: int) -> None:
        """Return once the request with this number, or a later one, is in the log."""
        eventually("it is recorded", lambda: self.newest(marker) >= number, PATIENCE_S)

    def until_put_aside(self, files: int) -> None:
        """Return once there are more than so many files."""
        eventually("the log is rotated", lambda: len(self.files()) > files, PATIENCE_S)

    def until_told(self, event: str, times: int) -> None:
        """Return once the log, which was not rotated, has an event so often."""
        text = f'"event":"{event}"'.encode()
        eventually(event, lambda: self.log.read_bytes().count(text) >= times, PATIENCE_S)


def lines_of(path: Path) -> list[Line]:
    """Return a file's lines; fails unless each is whole and fits the schema."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    assert text[-1:] in ("\n", ""), text[-200:]
    return [parsed(line) for line in text.splitlines()]


def numbers_of(lines: Sequence[Line], marker: str) -> list[int]:
    """Return the numbers of the requests with the marker, in the lines' order."""
    paths = [line["url"]["path"] for line in lines if "url" in line]
    return [int(path.rpartition("/")[2]) for path in paths if f"/{marker}/" in path]


def events_of(lines: Sequence[Line], name: str) -> list[Line]:
    """Return the lines of one event."""
    return [line for line in lines if line["event"] == name]


def calls_of(line: Line) -> int:
    """Return how many requests a line stands for."""
    return sum(each["count"] for each in line["imds"].get("repeated", [])) or 1


def whole(lines: Sequence[Line]) -> list[Line]:
    """Return the requests of which nothing was lost.

    What is lost on a connection that goes on is counted, and leaves a line that says so, too.
    """
    requests = events_of(lines, "imds_request")
    return [line for line in requests if line["imds"]["reason"] != "capture_gap"]


def requests_between(lines: Sequence[Line], marker: str) -> int:
    """Count the whole requests, by whomever, from the first one with the marker to the last.

    The probe sees the whole host, where others may call, too.
    """
    requests = whole(lines)
    marked = [
        line["timestamp"] for line in requests if marker in line.get("url", {}).get("path", "")
    ]
    return sum(min(marked) <= line["timestamp"] <= max(marked) for line in requests)


def programs_of(pid: int) -> set[int]:
    """Return the kernel's numbers of the BPF programs that a process holds or has attached."""
    found: set[int] = set()
    for each in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.update(map(int, re.findall(r"^prog_id:\t(\d+)$", each.read_text(), re.MULTILINE)))
    return found


def programs_in_kernel() -> set[int]:
    """Return the numbers of all BPF programs there are."""
    told = subprocess.run(
        ["bpftool", "--json", "prog", "show"], check=True, capture_output=True, timeout=DEADLINE_S
    )
    return {each["id"] for each in json.loads(told.stdout)}


def until_gone(programs: set[int]) -> None:
    """Return once none of these programs is in the kernel."""
    eventually("the probe is gone", lambda: not programs & programs_in_kernel())
