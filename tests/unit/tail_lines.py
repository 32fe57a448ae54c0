"""Lines of the log as the analyzer writes them, changed here and there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Optional

from rich.console import Console

from analyzer.tail.filters import Filters
from analyzer.tail.layout import Layout, symbols
from analyzer.tail.screen import Screen
from analyzer.tail.views import Rows

GOLDEN = Path(__file__).parents[1] / "golden" / "log"


def golden(name: str) -> dict[str, Any]:
    """Return one of the golden lines; that of the worker says so."""
    fields: dict[str, Any] = json.loads((GOLDEN / f"{name}.jsonl").read_text("utf-8"))
    fields["imds"].pop("caller", None)
    if "/srv/app/worker.py" in fields.get("process", {}).get("args", ()):
        fields["imds"]["caller"] = named("/srv/app/worker.py", "gunicorn", "script")
    return fields


def named(program: str, launcher: str = "", kind: str = "program") -> dict[str, str]:
    """Return an ``imds.caller`` as the recorder writes it."""
    started = {"launcher": launcher} if launcher else {}
    return {"program": program, **started, "kind": kind, "key": f"{kind} {program} {launcher}"}


def process(name: str, executable: str = "", *args: str, pid: int = 4242) -> dict[str, Any]:
    """Return a process without user and ancestors."""
    fields: dict[str, Any] = {"pid": pid, "name": name}
    if executable:
        fields["executable"] = executable
    if args:
        fields["args"] = list(args)
    return fields


CURL = process("curl", "/usr/bin/curl", "curl", "-s", "http://169.254.169.254/latest/meta-data/")
DEPLOY = process("deploy.sh", "/usr/bin/dash", "/bin/sh", "/srv/deploy.sh", "v1")
CRON_SHELL = process("sh", "/usr/bin/dash", "/bin/sh", "-c", "/srv/deploy.sh v1")
CRON = process("cron", "/usr/sbin/cron", "/usr/sbin/CRON", "-f")
INIT = process("systemd", "/usr/lib/systemd/systemd", "/sbin/init", pid=1)


def cron_job() -> dict[str, Any]:
    """Return a request by curl out of a script that cron runs."""
    fields = golden("contract-example")
    fields["url"]["path"] = "/latest/meta-data/placement/region"
    fields["user_agent"]["original"] = "curl/7.88.1"
    fields["imds"]["caller"] = named("curl", "/srv/deploy.sh")
    caller = {**CURL, "user": {"id": "0", "name": "root"}}
    fields["process"] = {**caller, "ancestors": [DEPLOY, CRON_SHELL, CRON, CRON, INIT]}
    fields["service"]["name"] = "cron.service"
    del fields["container"]
    return fields


def encoded(fields: object) -> bytes:
    """Return a line as it stands in the file."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def screen(columns: Optional[int] = None, *, is_coloured: bool = False) -> Screen:
    """Return a screen in memory: a terminal of so many columns, or a pipe."""
    console = Console(file=io.StringIO(), width=columns or 80)
    out = io.BytesIO()
    return Screen(out, console, columns is not None, is_coloured)


def shown(
    *lines: bytes,
    columns: Optional[int] = None,
    filters: Filters = Filters(),  # noqa: B008 (immutable)
    is_coloured: bool = False,
    heartbeats: bool = False,
) -> str:
    """Return what is shown of these lines, in UTC."""
    there = screen(columns, is_coloured=is_coloured)
    layout = Layout(symbols("utf-8"), is_utc=True)
    rows = Rows(there, layout, filters, with_routine=heartbeats)
    for each in lines:
        rows.show(each)
    assert isinstance(there.out, io.BytesIO)
    return there.out.getvalue().decode()
