"""Prints the lab's output: a line per request, and the summary at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.imds import IMDS_IPV4
from analyzer.lab.exercise import ProgramOutcome
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.observed_calls import ObservedCall
from analyzer.lab.programs import Call
from analyzer.text import visible

_STYLES = {"v1": "bold red", "v2": "green"}  # others: unknown
_OTHER_STYLE = "yellow"
_LAB = "imds-analyzer"  # started every program of the lab: not worth a column
_WHO_COLUMNS = 26  # with the lab's own paths a line then fits into 80 columns


class LabScreen:
    """Write to a terminal, or without any control codes to a file or pipe."""

    def __init__(self, console: Console) -> None:
        """Take where to write."""
        self._console = console
        self._arrow = " ← " if console.encoding.lower().startswith("utf") else " <- "

    def open(self, namespace: LabNamespace, log: str) -> None:
        """Say what was set up."""
        self.say("An emulated IMDS answers in a network namespace of its own.")
        self.say(f"  addresses  {' and '.join(namespace.addresses)}")
        if namespace.ipv6_problem is not None:
            self.say(f"  no IPv6    {namespace.ipv6_problem}", "yellow")
        self.say(f"  log        {log}")
        self.say("Attaching the analyzer's probe to the kernel ...")

    def head_columns(self) -> None:
        """Say what stands in the lines that follow."""
        self.say("")
        self.say(f"{'time UTC':10}{'':4}{'who':{_WHO_COLUMNS + 2}}request", "dim")

    def show(self, observed: ObservedCall, *, is_ours: bool) -> None:
        """Write one request: when, which version, who, what."""
        call = observed.call
        who = [visible(name) for name in observed.who if name != _LAB] or ["(unknown)"]
        line = Text(f"{visible(observed.timestamp[11:19]):10}")
        line.append(f"{visible(call.version):4}", _STYLES.get(call.version, _OTHER_STYLE))
        line.append(f"{self._arrow.join(who):{_WHO_COLUMNS}}  ")
        line.append(f"{visible(call.method)} {visible(call.path)}")
        if not is_ours:
            line.append("  (not from the lab)", "dim")
        self._write(line)

    def sum_up(self, outcomes: Sequence[ProgramOutcome], answered: int) -> None:
        """Write the table of programs and the conclusion."""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for heading in ("program", "expected", "seen", ""):
            table.add_column(heading, no_wrap=True)
        for each in outcomes:
            table.add_row(
                each.program.name,
                _counts(each.program.expected),
                _counts(observed.call for observed in each.calls),
                _judgement(each),
            )
        self.say("")
        self._console.print(table)
        self.say("")
        for each in outcomes:
            if each.skipped is not None:
                self.say(f"{each.program.name} was skipped: {each.skipped}.")
            elif not each.is_right:
                self._explain(each)
        self._conclude(outcomes, answered)

    def invite(self, namespace: LabNamespace) -> None:
        """Say how to call the emulated IMDS from another shell."""
        self.say("")
        self.say("The lab stays open until Ctrl-C. Call it from another shell with")
        self.say(
            f"  sudo nsenter --net={namespace.path} curl http://{IMDS_IPV4}/latest/meta-data/",
            "bold",
        )
        self.say("")

    def say(self, line: str, style: str = "") -> None:
        """Write one line of our own words."""
        self._write(Text(line, style))

    def _write(self, line: Text) -> None:
        encoding = self._console.encoding
        if line.plain.encode(encoding, "replace").decode(encoding) != line.plain:
            line = Text(line.plain.encode(encoding, "backslashreplace").decode(encoding))
        # Neither wrapped nor cut: a terminal does that itself, and a pipe wants whole lines.
        self._console.print(line, soft_wrap=True)

    def _explain(self, outcome: ProgramOutcome) -> None:
        name = outcome.program.name
        for call, count in outcome.missing.items():
            self.say(f"{name}: {count} not in the log: {_words(call)}", "red")
        for call, count in outcome.surplus.items():
            self.say(f"{name}: {count} in the log and not expected: {_words(call)}", "red")
        if outcome.misnamed:
            wrong = ", ".join(visible(each) for each in outcome.misnamed)
            self.say(f"{name}: sent by {outcome.program.caller}, but the log says {wrong}", "red")
        if outcome.missing and outcome.exit_code:
            self.say(f"{name}: the program itself ended with exit code {outcome.exit_code}", "red")

    def _conclude(self, outcomes: Sequence[ProgramOutcome], answered: int) -> None:
        ran = [each for each in outcomes if each.skipped is None]
        calls = [observed for each in ran for observed in each.calls]
        probes = ", ".join(sorted({visible(each.probe) for each in calls})) or "no probe"
        self.say(f"The IMDS answered {answered} requests, the log ({probes}) names {len(calls)}.")
        callers = [
            each.program.name
            for each in ran
            if any(observed.call.version == "v1" for observed in each.calls)
        ]
        used = f"{len(callers)} of {len(ran)} programs used IMDSv1"
        by_whom = f": {', '.join(callers)}" if callers else ""
        self._console.print(Text(f"{used}{by_whom}.", "bold"))  # wrapped between words


def _counts(calls: Iterable[Call]) -> Text:
    counts = Counter(call.version for call in calls)
    parts = [
        Text(f"{counts[version]} {visible(version)}", _STYLES.get(version, _OTHER_STYLE))
        for version in sorted(counts)
    ]
    return Text(", ").join(parts) if parts else Text("-")


def _judgement(outcome: ProgramOutcome) -> Text:
    if outcome.skipped is not None:
        return Text("skipped", "yellow")
    return Text("ok", "green") if outcome.is_right else Text("wrong", "bold red")


def _words(call: Call) -> str:
    return visible(f"{call.version} {call.method} {call.path}")
