"""A report for people, and one for machines."""

from __future__ import annotations

import json
import platform

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer import __version__
from analyzer.doctor.findings import Level, Report
from analyzer.text import visible

_STYLES = {
    Level.OK: "green",
    Level.INFO: "dim",
    Level.WARN: "yellow",
    Level.FAIL: "bold red",
}

# way to attach: what to know of it when it is the one that would be used
_LIMITS = {
    "tracepoint": "System-call tracepoints cost a little on every write of the host. Without the "
    "wire they do not see what io_uring, sendfile, splice and 32-bit programs send.",
    "af_packet": "Packets show what passes this network namespace. Who sent it is looked up in the "
    "socket tables, and not known of callers that are gone by then, nor of those behind this host.",
}


def write_table(report: Report, console: Console) -> None:
    """Write a row per finding and then the conclusion."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in report.findings:
        found = Text(printable(each.found))
        if each.fix:
            found.append(f"\n-> {printable(each.fix)}", "bold")
        table.add_row(Text(each.level.value, _STYLES[each.level]), Text(each.name), found)
    console.print(table)
    console.print()
    console.print(_conclusion(report))


def _conclusion(report: Report) -> Text:
    if report.chosen is None:
        return Text("`imds-analyzer run` cannot work here: fix what failed above.", "bold red")
    text = Text(f"`imds-analyzer run` works here, with {report.chosen}.", "bold green")
    limit = _LIMITS.get(report.chosen.split("/")[1])
    if limit is not None:
        text.append(f"\n{limit}", "default")
    return text


def as_json(report: Report) -> str:
    """Return the report as one JSON document of ASCII text."""
    document = {
        "works": report.chosen is not None,
        "probe": report.chosen,
        "version": __version__,
        "kernel": {"release": platform.release(), "machine": platform.machine()},
        "findings": [
            {"name": each.name, "level": each.level.value, "found": each.found, "fix": each.fix}
            for each in report.findings
        ],
    }
    return json.dumps(document, indent=2)


def printable(text: str) -> str:
    """Return ``text`` as one line of ASCII, with all escaped that a terminal would act on."""
    return visible(" ".join(text.split())).encode("ascii", "backslashreplace").decode("ascii")
