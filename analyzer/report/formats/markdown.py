"""Writes the report in the Markdown that GitHub, GitLab and others share.

Names of the log stand in code, where nothing is a link, a mention or markup; what code cannot
hold in a table is written with HTML's character references, which never are markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from analyzer.report.formats import ancestry, selection, wording
from analyzer.report.result import Comparison, Entry, Report, Step
from analyzer.text import visible

# A comment of GitHub's holds 65,536 characters.
BOUNDS = selection.Bounds(
    callers_in_detail=15,
    callers_in_rows=50,
    hosts=50,
    commands=10,
    command_characters=2_000,
    differences=30,
    text=120,
)

# Fails in a code span of a table, or ends one.
_NOT_IN_CODE = re.compile(r"[`|\\]")
# Is markup, or may become some, in running text; an underscore only at the edge of a word.
_MARKUP = re.compile(r"[][&<>|\\`*~]|:(?=[a-z])|(?<![^\W_])_|_(?![^\W_])")
# A word that becomes a link, a mention or a reference to an issue by itself.
_LIVE = re.compile(r"[@#]|://|www\.|[!$%&~]\w", re.IGNORECASE)
# Begins a list within a list, or a heading's underline.
_OPENING = re.compile(r"[-+=]+|\d+[.)]")
_REFERRED = re.compile(r"[^\w\s/,;=+-]|_")


def as_text(report: Report) -> str:
    """Return the document."""
    return "\n".join(_lines(report)) + "\n"


def code(text: str) -> str:
    """Return a text of the log as code, in a table or elsewhere."""
    shown = selection.cut(visible(text), BOUNDS.text)
    if not shown.strip():
        return "<code></code>"
    if _NOT_IN_CODE.search(shown) or shown != shown.strip():
        return f"<code>{_REFERRED.sub(_reference, shown)}</code>"
    return f"`{shown}`"


def prose(text: str) -> str:
    """Return a sentence as nothing but a sentence, whatever names are in it."""
    words = visible(text).split()
    return " ".join(
        code(word)
        if _LIVE.search(word) or (not place and _OPENING.fullmatch(word))
        else _plain(word)
        for place, word in enumerate(words)
    )


def block(commands: str) -> Iterator[str]:
    """Write commands to copy."""
    lines = [visible(line) for line in commands.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", fence, *lines, fence)


def _plain(word: str) -> str:
    return _MARKUP.sub(_reference, word)


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def _lines(report: Report) -> Iterator[str]:
    verdict = report.verdict
    yield f"## IMDSv1: {verdict.judgement.value}"
    yield ""
    yield f"Judged over {wording.span(verdict.window)}; {wording.covered(verdict)}."
    yield ""
    yield from (f"- {prose(each.text)}" for each in verdict.reasons)
    yield ""
    yield f"{wording.material(report.findings)}. All times are UTC."
    yield ""
    yield from _callers(report)
    yield from _hosts(report)
    if report.comparison is not None:
        yield from _comparison(report.comparison)
    yield from _steps(report.steps)
    yield from _damage(report)


def _callers(report: Report) -> Iterator[str]:
    entries = selection.open_entries(report)
    yield f"### Callers in the way ({wording.count(len(entries))})"
    yield ""
    if not entries:
        yield wording.nobody(report)
        yield ""
    else:
        yield from _rows(entries)
        for each in entries[: BOUNDS.callers_in_detail]:
            yield from _caller(each)
        if len(entries) > BOUNDS.callers_in_detail:
            yield f"Only the first {BOUNDS.callers_in_detail} are described."
            yield ""
    settled = selection.settled_entries(report)
    if settled:
        yield f"### Callers with nothing to do ({wording.count(len(settled))})"
        yield ""
        yield from _rows(settled)


def _rows(entries: Sequence[Entry]) -> Iterator[str]:
    shown = selection.first(entries, BOUNDS.callers_in_rows)
    headings = ("caller", *wording.VERSIONS, "hosts", "last seen", "cause")
    rows = (
        (
            code(wording.who(each.group.key)),
            *(wording.count(each.group.count(version)) for version in wording.VERSIONS),
            wording.count(each.group.host_count),
            wording.moment(each.group.last_at),
            wording.CAUSES[each.diagnosis.cause],
        )
        for each in shown.items
    )
    yield from _table(headings, rows, numbers=(1, 2, 3, 4))
    yield from _left_out(shown.left_out, "more caller", "--format csv")


def _caller(entry: Entry) -> Iterator[str]:
    diagnosis = entry.diagnosis
    yield f"#### {code(wording.who(entry.group.key))}"
    yield ""
    yield f"**{wording.CAUSES[diagnosis.cause]}** {prose(diagnosis.summary)}"
    yield ""
    yield from (f"- {prose(each)}" for each in diagnosis.advice)
    yield from _commands(diagnosis.commands)
    yield from _table(("", ""), ((label, code(value)) for label, value in wording.facts(entry)))
    processes = ancestry.tree(entry.group.example).processes
    if processes:
        yield "Process tree of an example:"
        yield from block(
            "\n".join(
                "  " * depth + visible(selection.cut(each.command, BOUNDS.text))
                for depth, each in enumerate(processes)
            )
        )
        yield ""


def _hosts(report: Report) -> Iterator[str]:
    if not report.host_verdicts:
        return
    yield "### Hosts"
    yield ""
    yield f"{wording.judgements(report)}."
    yield ""
    shown = selection.first(selection.unsafe_hosts(report), BOUNDS.hosts)
    rows = (
        (
            code(each.host or ""),
            each.judgement.value,
            "<br>".join(prose(reason) for reason in wording.reasons(each, report)),
        )
        for each in shown.items
    )
    if shown.items:
        yield from _table(("host", "verdict", "reasons"), rows)
    yield from _left_out(shown.left_out, "more host", "--format json")


def _comparison(figures: Comparison) -> Iterator[str]:
    yield "### Comparison with CloudWatch"
    yield ""
    yield wording.comparison(figures)
    yield ""
    yield from (f"- {prose(each)}" for each in figures.notes)
    yield ""
    shown = selection.first(figures.differences, BOUNDS.differences)
    headings = ("from", "to", "metric", "CloudWatch", "log", "no answer", "missing", "watched")
    rows = (
        (
            wording.minute(each.period.start),
            wording.minute(each.period.end),
            code(each.metric),
            *map(wording.count, (each.counted, each.recorded, each.unanswered, each.missing)),
            "all of it" if each.is_covered else "not all of it",
        )
        for each in shown.items
    )
    if shown.items:
        yield from _table(headings, rows, numbers=(3, 4, 5, 6))
    yield from _left_out(shown.left_out, "more period", "--format json")


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield "### What to do next"
        yield ""
    for place, each in enumerate(steps, 1):
        yield f"**{place}\\. {prose(each.title)}** {prose(each.why)}"
        yield from _commands(each.commands)


def _damage(report: Report) -> Iterator[str]:
    findings = report.findings
    if findings.damaged or findings.damage:
        yield f"### Damaged input: {wording.plural(findings.damaged, 'line')}"
        yield ""
        yield from (f"- {code(wording.damage(each))}" for each in findings.damage)
        if findings.damaged > len(findings.damage):
            yield ""
            yield "Only the first are listed."


def _commands(commands: Sequence[str]) -> Iterator[str]:
    shown = selection.commands(commands, BOUNDS)
    for each in shown.items:
        yield from block(each)
    yield ""
    yield from _left_out(shown.left_out, "more command", "--format json")


def _table(
    headings: Sequence[str], rows: Iterator[Sequence[str]], numbers: Sequence[int] = ()
) -> Iterator[str]:
    """Write a table; ``numbers`` are the columns that stand to the right."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('--:' if place in numbers else '---' for place in range(len(headings)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _left_out(number: int, noun: str, where: str) -> Iterator[str]:
    if number:
        yield f"{wording.plural(number, noun)} left out here; `{where}` has all."
        yield ""
