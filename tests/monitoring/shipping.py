"""A real log that rotates, and a shipper that reads it with the project's own configuration."""

from __future__ import annotations

import collections
import contextlib
import gzip
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from analyzer.config.settings import LogSettings
from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from tests.live.watch import DEADLINE_S
from tests.monitoring import MONITORING
from tests.sends import process_of
from tests.unit.recorder.sinks.test_jsonl import RECORD

FLUENT_BIT = MONITORING / "fluent-bit" / "imds-analyzer.yaml"
LOG_DIRECTORY, STATE_DIRECTORY = "/var/log/imds-analyzer", "/var/lib/fluent-bit"
# The greatest that [log] line_kib allows.
LONGEST_KIB = 512
# Lines are written at this pace. At the default, 20 MiB a file, it is 10 MiB/s, or two files a
# second: more than any host's calls to IMDS make.
MIB_PER_S = 0.5


class Log:
    """Numbered lines in a log of the analyzer's own writer."""

    def __init__(self, directory: Path, line_kib: int = LONGEST_KIB) -> None:
        self.path = directory / "imds.jsonl"
        settings = LogSettings(file=str(self.path), rotate_mib=1, total_mib=200, line_kib=line_kib)
        self._sink: JsonlSink = open_log(settings)
        self._sink.set_probe("core/fentry")
        self._number = 0
        self._bytes = 0
        self._begun = time.monotonic()

    def write(self, count: int, argument_bytes: int) -> None:
        """Write lines with an argument of this size; what is too long is cut by the writer."""
        # Letters of two bytes, and what JSON escapes.
        text = ('é"\\' * (argument_bytes // 4 + 1))[: argument_bytes // 2]
        process = process_of(RECORD.caller)._replace(args=("curl", text))
        caller = identified(RECORD.caller._replace(process=process))
        for _ in range(count):
            request = RECORD.request._replace(target=f"/latest/{self._number}")
            self._sink.write(RECORD._replace(request=request, caller=caller))
            self._sink.tick()
            self._sink.flush()
            self._number += 1
            self._bytes += argument_bytes + 1000
            ahead_s = self._bytes / (MIB_PER_S * 2**20) - (time.monotonic() - self._begun)
            time.sleep(max(0.0, ahead_s))  # the pace of writing; nothing is waited for

    def lines(self) -> list[bytes]:
        """Return all lines in order, once no file is being compressed."""
        found: list[bytes] = []
        kept = sorted(each for each in self.path.parent.iterdir() if each != self.path)
        for each in kept:
            text = each.read_bytes()
            found += (gzip.decompress(text) if each.suffix == ".gz" else text).splitlines()
        return found + self.path.read_bytes().splitlines()

    @property
    def rotations(self) -> int:
        return len(list(self.path.parent.glob("imds.jsonl-*Z*")))

    def close(self) -> None:
        self._sink.close()


class FluentBit:
    """Fluent Bit with the project's input; its output is a file in place of CloudWatch."""

    def __init__(self, directory: Path, log: Log, *, settings: Optional[str] = None) -> None:
        """Take the project's settings, or others."""
        text = settings or FLUENT_BIT.read_text("utf-8")
        begins, _, _ = text.partition("  outputs:\n")
        assert LOG_DIRECTORY in begins
        state = directory / "state"
        state.mkdir()
        self._shipped = directory / "shipped"
        self._config = directory / "fluent-bit.yaml"
        self._messages = directory / "messages"
        self._config.write_text(
            begins.replace(LOG_DIRECTORY, str(log.path.parent)).replace(STATE_DIRECTORY, str(state))
            + "  outputs:\n    - name: file\n      match: imds-analyzer\n"
            + f"      file: {self._shipped}\n      format: plain\n"
        )
        self._process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        with self._messages.open("ab") as messages:
            self._process = subprocess.Popen(
                ["fluent-bit", "-c", str(self._config)], stdout=messages, stderr=messages
            )

    def stop(self, number: int = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(2 * DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def shipped(self) -> list[bytes]:
        """Return what was delivered, each line as it was read."""
        if not self._shipped.exists():
            return []
        whole, _, _ = self._shipped.read_bytes().rpartition(b"\n")
        return [json.loads(each)["log"].encode() for each in whole.splitlines()]

    def messages(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self._messages.read_text())


@contextlib.contextmanager
def shipping(directory: Path, *, settings: Optional[str] = None) -> Iterator[tuple[Log, FluentBit]]:
    """Yield a log and a running Fluent Bit that ships it."""
    place = directory / "log"
    place.mkdir()
    log = Log(place)
    shipper = FluentBit(directory, log, settings=settings)
    try:
        shipper.start()
        yield log, shipper
    finally:
        shipper.stop()
        log.close()


def missing(log: Log, shipped: list[bytes]) -> list[bytes]:
    """Return the lines that did not arrive, or not whole."""
    return list((collections.Counter(log.lines()) - collections.Counter(shipped)).elements())
