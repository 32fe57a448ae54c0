"""Prints the result of a scan for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.scan.findings import SCRIPT, Finding, Outcome
from analyzer.text import visible

_STYLES = {"old": "red", "unknown": "yellow"}
# Rows; what is beyond stands in the JSON.
_ROWS_MAX = 200
_UNREAD_SHOWN = 5


def write_table(outcome: Outcome, console: Console) -> None:
    """Write a row per finding, what was not read, and the sum."""
    if outcome.findings:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for each in outcome.findings[:_ROWS_MAX]:
            table.add_row(Text(each.state, _STYLES[each.state]), _row(each))
        console.print(table)
        console.print()
    for line in _remarks(outcome):
        console.print(Text(line))
    console.print(_sum(outcome))


def _row(finding: Finding) -> Text:
    text = Text(_where(finding), "bold")
    if finding.text:
        text.append(f"\n  {visible(finding.text)}", "not bold")
    text.append(f"\n  {visible(finding.fix)}", "not bold")
    return text


def _where(finding: Finding) -> str:
    path = visible(finding.path)
    if finding.kind != SCRIPT:
        return f"{visible(finding.name)} {visible(finding.version)}".strip() + f"  {path}"
    further = len(finding.lines) - 1
    more = f" and {further} more {'lines' if further > 1 else 'line'}" if further else ""
    return f"{path}:{finding.line}{more}"


def _remarks(outcome: Outcome) -> list[str]:
    lines = []
    beyond = len(outcome.findings) - _ROWS_MAX
    if beyond > 0:
        lines.append(f"{beyond} more findings: --json has them.")
    if outcome.findings_left_out:
        lines.append(f"{outcome.findings_left_out} more findings were left out.")
    for path, why in outcome.skipped.items():
        lines.append(f"Not entered: {visible(path)} ({why}).")
    for path, why in list(outcome.unread.items())[:_UNREAD_SHOWN]:
        lines.append(f"Not read: {visible(path)} ({why}).")
    if outcome.unread_count > _UNREAD_SHOWN:
        lines.append(f"Not read: {outcome.unread_count - _UNREAD_SHOWN} more. Run as root?")
    return lines


def _sum(outcome: Outcome) -> Text:
    old = sum(each.state == "old" for each in outcome.findings)
    unknown = len(outcome.findings) - old
    looked = f"{outcome.files} files in {outcome.folders} folders"
    if outcome.is_interrupted:
        return Text(f"Interrupted after {looked}: {old} would call IMDSv1 so far.", "bold yellow")
    if not outcome.findings:
        return Text(f"Nothing found in {looked} that would call IMDSv1.", "bold green")
    tail = f", {unknown} of unknown version" if unknown else ""
    return Text(f"{old} would call IMDSv1{tail}. Looked at {looked}.", "bold")
