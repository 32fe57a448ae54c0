"""Prints the report at a terminal, or without control codes to a file or pipe."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.imds import AWS
from analyzer.report.formats import ancestry, selection, wording
from analyzer.report.result import Comparison, Entry, Judgement, Report, Step
from analyzer.text import visible

BOUNDS = selection.Bounds(
    callers_in_detail=20,
    callers_in_rows=30,
    hosts=30,
    commands=10,
    command_characters=4_000,
    differences=20,
    text=200,
)
COLUMNS_MAX = 110  # longer lines are hard to read
COLUMNS_OF_TEXT = 80  # where there is no terminal to ask

VERSION_STYLES = {"v1": "bold red", "unknown": "yellow", "v2": "green"}
JUDGEMENT_STYLES = {
    Judgement.SAFE: "bold green",
    Judgement.NOT_SAFE: "bold red",
    Judgement.NOT_ENOUGH_EVIDENCE: "bold yellow",
}
# Stands elsewhere already, or is not worth a terminal's few lines.
_LEFT_OUT = {"Place", "Users", "First seen", "Last seen", "Last IMDSv1", "Days with IMDSv1"}
_INDENT = 2
_LABEL_COLUMNS = 14
_SHORTER = {
    "Other user agents": "Other agents",
    "Failed token requests before": "Token failed",
    "Forwarded for others": "Forwarded",
}


def as_text(report: Report, detail: selection.Detail = selection.BRIEF) -> str:
    """Return the table as it is in a pipe, 80 columns wide."""
    file = io.StringIO()
    console = Console(file=file, width=COLUMNS_OF_TEXT, color_system=None, legacy_windows=False)
    show(report, console, detail)
    return file.getvalue()


def show(report: Report, console: Console, detail: selection.Detail = selection.BRIEF) -> None:
    """Write a report to a console; the verdict first and, for it scrolls away, last."""
    sheet = _Sheet(console, detail)
    sheet.head(report)
    sheet.callers(report)
    sheet.settled(report)
    sheet.hosts(report)
    if report.comparison is not None:
        sheet.comparison(report.comparison)
    sheet.steps(report.steps)
    sheet.damage(report)
    sheet.conclude(report)


class _Sheet:
    """Writes parts of a report, none of whose text a terminal can act on."""

    def __init__(self, console: Console, detail: selection.Detail) -> None:
        self._console = console
        self._detail = detail
        self._width = min(console.width, COLUMNS_MAX)
        self._arrow = "←" if console.encoding.lower().startswith("utf") else "<-"

    def head(self, report: Report) -> None:
        """Say what the report is made of, and the verdict with its reasons."""
        self._write(wording.material(report.findings), "dim")
        self._write()
        verdict = report.verdict
        self._write(verdict.judgement.value, JUDGEMENT_STYLES[verdict.judgement])
        self._write(f"{wording.span(verdict.window)}: {wording.covered(verdict)}", indent=_INDENT)
        for each in verdict.reasons:
            self._write(each.text, mark="- ", indent=_INDENT)

    def callers(self, report: Report) -> None:
        """Write each caller that is in the way."""
        entries = selection.open_entries(report)
        self._title(f"Callers in the way ({wording.count(len(entries))})")
        if not entries:
            self._write(wording.nobody(report))
        limit = len(entries) if self._detail.callers else BOUNDS.callers_in_detail
        shown = selection.first(entries, limit)
        for place, each in enumerate(shown.items):
            if place:
                self._write()
            self._caller(each)
        if shown.left_out:
            self._write()
            self._rows(entries[len(shown.items) :])

    def settled(self, report: Report) -> None:
        """Write a row for each caller with which nothing has to be done."""
        entries = selection.settled_entries(report)
        if entries:
            self._title(f"Callers with nothing to do ({wording.count(len(entries))})")
            self._rows(entries)

    def hosts(self, report: Report) -> None:
        """Write the hosts that are not SAFE, and the number of the others."""
        if not report.host_verdicts:
            return
        self._title(f"Hosts: {wording.judgements(report)}")
        unsafe = selection.unsafe_hosts(report)
        shown = selection.first(unsafe, len(unsafe) if self._detail.hosts else BOUNDS.hosts)
        for each in shown.items:
            self._pair(
                self._text(each.host or "", "bold"),
                Text(each.judgement.value, JUDGEMENT_STYLES[each.judgement]),
            )
            for reason in wording.reasons(each, report):
                self._write(reason, mark="- ", indent=_INDENT)
        self._left_out(shown.left_out, "more host", "--format json")

    def comparison(self, figures: Comparison) -> None:
        """Write how CloudWatch's figures and the log compare."""
        self._title("Comparison with CloudWatch")
        self._write(wording.comparison(figures))
        for note in figures.notes:
            self._write(note, "dim")
        shown = selection.first(figures.differences, BOUNDS.differences)
        if shown.items:
            table = _table("from", "metric", "AWS", "log", "no answer", "missing", "watched")
            for each in shown.items:
                table.add_row(
                    wording.minute(each.period.start),
                    self._text(each.metric),
                    wording.count(each.counted),
                    wording.count(each.recorded),
                    wording.count(each.unanswered),
                    Text(wording.count(each.missing), "bold red" if each.missing else ""),
                    "all" if each.is_covered else "not all",
                )
            self._console.print(table, width=self._width)
        self._left_out(shown.left_out, "more period", "--format json")

    def steps(self, steps: Sequence[Step]) -> None:
        """Write what to do next, with the commands."""
        if not steps:
            return
        self._title("What to do next")
        for place, each in enumerate(steps, 1):
            self._write(each.title, "bold", mark=f"{place}. ")
            self._write(each.why, indent=_INDENT)
            self._commands(each.commands)

    def damage(self, report: Report) -> None:
        """Write what could not be read of the input."""
        findings = report.findings
        if not findings.damaged and not findings.damage:
            return
        self._title(f"Damaged input: {wording.plural(findings.damaged, 'line')}")
        for each in findings.damage:
            self._write(wording.damage(each), mark="- ")
        if findings.damaged > len(findings.damage):
            self._write("Only the first are listed.", "dim")

    def conclude(self, report: Report) -> None:
        """Write the judgement once more: the end is what a terminal shows."""
        judgement = report.verdict.judgement
        self._write()
        self._write(judgement.value, JUDGEMENT_STYLES[judgement])

    def _caller(self, entry: Entry) -> None:
        group = entry.group
        counts = Text(", ").join(
            Text(f"{wording.count(group.count(version))} {version}", VERSION_STYLES[version])
            for version in wording.VERSIONS
            if group.count(version)
        )
        self._pair(self._text(wording.who(group.key, self._arrow), "bold"), counts)
        diagnosis = entry.diagnosis
        cause = f"{wording.CAUSES[diagnosis.cause]}: "
        self._write(diagnosis.summary, mark=cause, indent=_INDENT, is_hanging=False)
        for advice in diagnosis.advice:
            self._write(advice, mark="-> ", indent=_INDENT)
        self._commands(diagnosis.commands)
        for label, value in self._facts(entry):
            mark = f"{label:{_LABEL_COLUMNS}}"
            self._write(value, "dim", mark=mark, indent=_INDENT)

    def _facts(self, entry: Entry) -> Iterator[tuple[str, str]]:
        group = entry.group
        seen = f"{wording.moment(group.first_at)} to {wording.moment(group.last_at)}"
        if group.last_v1_at is not None and group.last_v1_at != group.last_at:
            seen += f", v1 until {wording.moment(group.last_v1_at)}"
        yield "Seen", seen if group.key.place == "host" else f"{seen}, in {group.key.place}"
        for label, value in wording.facts(entry):
            if label not in _LEFT_OUT:
                yield _SHORTER.get(label, label), value
        processes = ancestry.tree(group.example).processes
        if processes:
            line = f" {self._arrow} ".join(each.command for each in reversed(processes))
            yield "Example", selection.cut(line, BOUNDS.text)

    def _rows(self, entries: Sequence[Entry]) -> None:
        shown = selection.first(entries, BOUNDS.callers_in_rows)
        table = _table("caller", *wording.VERSIONS, "cause")
        for each in shown.items:
            group = each.group
            is_aws = group.key.provider == AWS
            caller = self._text(selection.cut(wording.who(group.key, self._arrow), BOUNDS.text))
            numbers = (
                Text(
                    wording.count(group.count(version)),
                    VERSION_STYLES[version] if is_aws and group.count(version) else "dim",
                )
                for version in wording.VERSIONS
            )
            table.add_row(caller, *numbers, wording.CAUSES[each.diagnosis.cause])
        self._console.print(table, width=self._width)
        self._left_out(shown.left_out, "more caller", "--format csv")

    def _left_out(self, number: int, noun: str, where: str) -> None:
        if number:
            self._write(f"{wording.plural(number, noun)} left out here; {where} has all.", "dim")

    def _commands(self, commands: Sequence[str]) -> None:
        shown = selection.commands(commands, BOUNDS)
        for command in shown.items:
            for line in command.split("\n"):
                # Neither wrapped nor cut, to be copied whole.
                text = Text(" " * 2 * _INDENT).append_text(self._text(line, "cyan"))
                self._console.print(text, soft_wrap=True)
        self._left_out(shown.left_out, "more command", "--format json")

    def _title(self, title: str) -> None:
        self._write()
        self._write(title, "bold underline")

    def _pair(self, left: Text, right: Text) -> None:
        """Write two texts at the two edges; below each other where they do not fit."""
        rest = self._width - left.cell_len - right.cell_len
        if rest < _INDENT:
            for line in left.wrap(self._console, self._width):
                self._print(line)
            self._print(Text(" " * _INDENT).append_text(right))
        else:
            self._print(left.append(" " * rest).append_text(right))

    def _write(
        self,
        text: str = "",
        style: str = "",
        *,
        mark: str = "",
        indent: int = 0,
        is_hanging: bool = True,
    ) -> None:
        """Write a paragraph; lines after the first start below the text, or below its mark."""
        shown = self._text(text, style)
        below = indent
        if is_hanging:
            below += len(mark)
            lines = shown.wrap(self._console, max(_LABEL_COLUMNS, self._width - below))
        else:
            whole = Text(mark, "bold").append_text(shown)
            lines = whole.wrap(self._console, max(_LABEL_COLUMNS, self._width - below))
            mark = ""
        for place, line in enumerate(lines):
            line.rstrip()
            before = " " * indent + mark if place == 0 else " " * below
            self._print(Text(before, style).append_text(line))
        if not lines:
            self._print(Text(""))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _text(self, text: str, style: str = "") -> Text:
        """Return one line that a terminal shows and never acts on."""
        encoding = self._console.encoding
        shown = visible(text).encode(encoding, "backslashreplace").decode(encoding)
        return Text(shown, style, overflow="fold")


def _table(*headings: str) -> Table:
    """Return a table whose first column folds, with the numbers to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    first, *others = headings
    table.add_column(first, overflow="fold")
    for heading in others:
        is_text = heading in ("metric", "cause", "watched")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    return table
