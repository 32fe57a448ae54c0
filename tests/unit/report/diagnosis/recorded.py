"""Lines as the recorder writes them, of requests as clients and proxies send them.

A request's bytes go through the recorder's parser, classification and sink; the report reads the
file that comes out.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from click.testing import CliRunner

from analyzer.commands.report import report
from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Caller, Container, NamedProcess, User
from analyzer.recorder.classify import classify
from analyzer.recorder.decode.http import RequestParser
from analyzer.recorder.exchanges import response_of
from analyzer.recorder.records import Record
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.recorder.source_events import Connection

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
ROLE = "/latest/meta-data/iam/security-credentials/web-role"
ROLES = "/latest/meta-data/iam/security-credentials/"
INSTANCE_ID = "/latest/meta-data/instance-id"
INSTANCE = "i-0123456789abcdef0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
INIT = NamedProcess(
    1, "systemd", "/usr/lib/systemd/systemd", ("/sbin/init",), False, 1, User(0, "root")
)


class Who(NamedTuple):
    """A caller: its executable, arguments, name, unit, and who started it."""

    executable: str
    args: Sequence[str] = ()
    name: str = ""
    unit: Optional[str] = None
    ancestors: Sequence[NamedProcess] = ()
    uid: int = 33
    container: Optional[Container] = None


def program(executable: str, *args: str, name: str = "", uid: int = 0) -> NamedProcess:
    """Return a process, for an ancestor."""
    called = name or executable.rpartition("/")[2]
    return NamedProcess(
        4200, called[:15], executable, args or (executable,), False, 1, User(uid, None)
    )


class Asked(NamedTuple):
    """Requests that one caller made: each as its bytes, with the answer's status."""

    who: Who
    path: str
    fields: Sequence[str] = ()
    at: datetime.datetime = NOW - HOUR
    status: int = 200
    method: str = "GET"
    head: bytes = b""  # as a real client sent it, in place of path and fields


def record_of(asked: Asked) -> Record:
    """Return what the recorder makes of a request."""
    has_host = any(each.lower().startswith("host:") for each in asked.fields)
    host = () if has_host else ("Host: 169.254.169.254",)
    line = f"{asked.method} {asked.path} HTTP/1.1"
    head = "\r\n".join((line, *host, *asked.fields, "", ""))
    (request,) = RequestParser().feed(asked.head or head.encode())
    who = asked.who
    process = NamedProcess(
        4242,
        (who.name or who.executable.rpartition("/")[2])[:15],
        who.executable,
        tuple(who.args) or (who.executable,),
        False,
        1,
        User(who.uid, {33: "www-data", 0: "root", 1001: "app"}.get(who.uid)),
    )
    caller = Caller(process, (*who.ancestors, INIT), False, who.container, who.unit)
    return Record(
        at_ns=int(asked.at.timestamp() * 1_000_000_000),
        process_start_at_ns=int((asked.at - DAY).timestamp() * 1_000_000_000),
        connection=Connection(1, 1, "10.0.3.7", 41234, "169.254.169.254", 80),
        tid=4242,
        request=request,
        verdict=classify(request),
        caller=identified(caller),
        response=response_of(asked.status),
    )


def write(path: Path, *asked: Asked) -> None:
    """Write the log of an instance with these requests."""
    log = LineLog(StreamWriter(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "log"))
    sink = JsonlSink(log, lambda: "web-1", "0b5e8a52-7d3c-4c0e-9f5e-1c2d3e4f5a6b", INSTANCE)
    sink.set_probe("core/fentry")
    for each in sorted(asked, key=lambda one: one.at):
        sink.write(record_of(each))
    sink.close()


def reported(folder: Path, *asked: Asked, form: str = "json", more: Sequence[str] = ()) -> str:
    """Return what ``imds-analyzer report`` prints for a log of these requests."""
    path = folder / "imds.jsonl"
    write(path, *asked)
    done = CliRunner().invoke(report, [str(path), "--format", form, *more])
    assert done.exit_code == 0, done.output
    return done.output


def document(folder: Path, *asked: Asked) -> dict[str, Any]:
    """Return the report as a program reads it."""
    found: dict[str, Any] = json.loads(reported(folder, *asked))
    return found


def diagnosis(folder: Path, *asked: Asked) -> dict[str, Any]:
    """Return the diagnosis of a log with one caller."""
    (caller,) = document(folder, *asked)["callers"]
    found: dict[str, Any] = caller["diagnosis"]
    return found
