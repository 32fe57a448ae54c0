"""Writes the report in the Markdown that GitHub, GitLab and others share.

Names of the log stand in code, where nothing is a link, a mention or markup. The summary comes
first; callers, hosts and steps follow, as many as a comment holds, or all that the user asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.formats import ancestry, fleet, outlook, selection, wording
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.formats.markdown_fixes import changes
from analyzer.report.formats.markdown_sets import account
from analyzer.report.formats.markdown_text import (
    BOUNDS,
    block,
    code,
    commands,
    left_out,
    prose,
    table,
)
from analyzer.report.formats.selection import BRIEF, Detail
from analyzer.report.result import WORST_FIRST, Entry, Report, Step, Verdict
from analyzer.text import visible

_NAMED_MAX = 5  # hosts of a verdict, in the summary


def as_text(report: Report, detail: Detail = BRIEF) -> str:
    """Return the document."""
    return "\n".join(_lines(report, detail)) + "\n"


def _lines(report: Report, detail: Detail) -> Iterator[str]:
    verdict = report.verdict
    yield from _incidents(report)
    yield f"## IMDSv1: {verdict.judgement.value}"
    yield ""
    yield f"Judged over {wording.span(verdict.window)}; {wording.watched(report)}."
    yield ""
    date = outlook.date(verdict)
    if date is not None:
        yield f"**{date}**"
        yield ""
    yield from _reasons(verdict)
    yield f"{wording.material(report.findings)}. All times are UTC."
    yield ""
    names = fleet.names(report)
    yield from _instances(report, names)
    if report.inventory is not None:
        yield from account(report, report.inventory)
    yield from changes(report, names, detail)
    yield from _callers(report, names, detail)
    yield from _cleared(report)
    yield from _settled(report)
    yield from _hosts(report, names, detail)
    if report.comparison is not None:
        yield from _comparison(report.comparison, names)
    yield from _steps(report.steps)
    yield from _damage(report)


def _incidents(report: Report) -> Iterator[str]:
    """Write the requests that somebody else may have made, with all that is to be done."""
    if not report.incidents:
        return
    yield f"## ⚠ INCIDENT: {wording.plural(len(report.incidents), 'possible incident')}"
    yield ""
    shown = selection.first(report.incidents, BOUNDS.callers_in_detail)
    for each in shown.items:
        diagnosis = each.diagnosis
        yield f"**{code(wording.who(each.group.key))}** {prose(diagnosis.summary)}"
        yield ""
        yield from (f"- Seen: {prose(seen)}" for seen in diagnosis.evidence)
        yield from (f"- {prose(text)}" for text in diagnosis.advice)
        yield from commands(diagnosis.commands)
        yield ""
    yield from left_out(shown.left_out, "more incident", "--format json")


def _reasons(verdict: Verdict) -> Iterator[str]:
    obstacles, remarks = selection.obstacles(verdict), selection.remarks(verdict)
    if obstacles:
        yield "In the way:"
        yield ""
        yield from (f"- {prose(each.text)}" for each in obstacles)
        yield ""
    if remarks:
        yield "Known, and not in the way:"
        yield ""
        yield from (f"- {prose(each.text)}" for each in remarks)
        yield ""


def _instances(report: Report, names: Mapping[str, str]) -> Iterator[str]:
    if not report.host_verdicts and report.roster is None:
        return
    if report.roster is None:
        yield f"### Instances: {wording.count(len(report.host_verdicts))} with a log"
    else:
        yield f"### Instances: {outlook.with_a_log(report.roster)}"
    yield ""
    yield from table(("instances", "verdict", ""), _judged(report, names), numbers=(0,))
    groups = outlook.worst_groups(report.groups)
    shown = selection.first(groups, BOUNDS.hosts)
    if groups:
        rows = (
            (code(each.name), prose(each.kind), each.judgement.value, outlook.group(each))
            for each in shown.items
        )
        yield from table(("group", "", "verdict", "instances"), rows)
    yield from left_out(shown.left_out, "more group", "--format json")


def _judged(report: Report, names: Mapping[str, str]) -> Iterator[Sequence[str]]:
    for judgement in WORST_FIRST:
        keys = [each.host or "" for each in report.host_verdicts if each.judgement is judgement]
        if keys:
            named = ", ".join(code(names.get(each, each)) for each in keys[:_NAMED_MAX])
            rest = len(keys) - _NAMED_MAX
            more = f", {wording.count(rest)} more" if rest > 0 else ""
            yield wording.count(len(keys)), judgement.value, named + more
    if report.roster is not None and report.roster.unwatched:
        families = outlook.without_a_log(report.roster)
        rest = len(families) - _NAMED_MAX
        more = f"; {wording.count(rest)} more groups" if rest > 0 else ""
        text = "; ".join(prose(each) for each in families[:_NAMED_MAX]) + more
        yield wording.count(len(report.roster.unwatched)), "without a log", text


def _callers(report: Report, names: Mapping[str, str], detail: Detail) -> Iterator[str]:
    callers = fleet.in_the_way(report)
    yield f"### Callers in the way ({wording.count(len(callers))})"
    yield ""
    if not callers:
        yield wording.nobody(report)
        yield ""
        return
    yield from _open_rows(callers, detail)
    yield from _owners(report, callers)
    described = len(callers) if detail.callers else BOUNDS.callers_in_detail
    for each in callers[:described]:
        yield from _caller(each, names)
    if len(callers) > described:
        yield f"Only the first {described} are described; `--callers` describes all."
        yield ""


def _open_rows(callers: Sequence[FleetCaller], detail: Detail) -> Iterator[str]:
    shown = selection.first(callers, len(callers) if detail.callers else BOUNDS.callers_in_rows)
    headings = ("caller", "today", "hosts", "calls", "last IMDSv1", "cause", "SAFE on")
    rows = (
        (
            code(outlook.caller(each)),
            outlook.today(each),
            wording.count(each.host_count),
            wording.count(each.calls),
            wording.moment(each.last_v1_at),
            wording.CAUSES[each.cause],
            outlook.safe_on(each),
        )
        for each in shown.items
    )
    yield from table(headings, rows, numbers=(2, 3))
    yield from left_out(shown.left_out, "more caller", "--callers")


def _owners(report: Report, callers: Sequence[FleetCaller]) -> Iterator[str]:
    called = {each.key: outlook.caller(each) for each in callers}
    shown = selection.first(fleet.owners(report, callers), BOUNDS.hosts)
    rows = (
        (
            code(outlook.owner(name)),
            f"{wording.count(unsafe)} of {wording.count(total)}",
            code(called[worst]) if worst in called else "",
        )
        for name, unsafe, total, worst in shown.items
    )
    if shown.items:
        yield from table(("owner", "hosts not SAFE", "first to fix"), rows, numbers=(1,))
    yield from left_out(shown.left_out, "more owner", "--format json")


def _caller(caller: FleetCaller, names: Mapping[str, str]) -> Iterator[str]:
    yield f"#### {code(outlook.caller(caller))}"
    yield ""
    if caller.entry is not None:
        yield from _described(caller.entry, names)
    yield from _standings(caller, names)


def _described(entry: Entry, names: Mapping[str, str]) -> Iterator[str]:
    diagnosis = entry.diagnosis
    yield f"**{wording.CAUSES[diagnosis.cause]}** {prose(diagnosis.summary)}"
    yield ""
    if not entry.is_incident:  # which has them above all else
        yield from (f"- {prose(each)}" for each in diagnosis.advice)
        yield from commands(diagnosis.commands)
    facts = wording.facts(entry, names)
    yield from table(("", ""), ((label, code(value)) for label, value in facts))
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


def _standings(caller: FleetCaller, names: Mapping[str, str]) -> Iterator[str]:
    """Write what it means on each host: the hosts of which the same is true together."""
    told = outlook.by_standing(caller, names)
    shown = selection.first(told, BOUNDS.differences)
    if told:
        rows = (
            (wording.some(map(code, hosts[:_NAMED_MAX]), len(hosts)), prose(text))
            for text, hosts in shown.items
        )
        yield from table(("hosts", ""), rows)
    yield from left_out(shown.left_out, "more row", "--format json")


def _cleared(report: Report) -> Iterator[str]:
    """Write who used IMDSv1 and no longer counts, and what was decided by somebody."""
    callers = fleet.cleared(report)
    shown = selection.first(callers, BOUNDS.callers_in_rows)
    if callers:
        yield f"### Callers no longer in the way ({wording.count(len(callers))})"
        yield ""
        rows = (
            (
                code(outlook.caller(each)),
                wording.count(each.host_count),
                prose(outlook.cleared(each)),
            )
            for each in shown.items
        )
        yield from table(("caller", "hosts", "why"), rows, numbers=(1,))
    yield from left_out(shown.left_out, "more caller", "--format csv")
    decided = selection.first(report.accepted, BOUNDS.callers_in_rows)
    if report.accepted:
        yield f"### Accepted ({wording.count(len(report.accepted))})"
        yield ""
        yield from (f"- {prose(outlook.decision(each, report))}" for each in decided.items)
        yield ""
    yield from left_out(decided.left_out, "more decision", "--format json")


def _settled(report: Report) -> Iterator[str]:
    entries = selection.never_in_the_way(report)
    if not entries:
        return
    yield f"### Callers with nothing to do ({wording.count(len(entries))})"
    yield ""
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
    yield from table(headings, rows, numbers=(1, 2, 3, 4))
    yield from left_out(shown.left_out, "more caller", "--format csv")


def _hosts(report: Report, names: Mapping[str, str], detail: Detail) -> Iterator[str]:
    if not report.host_verdicts:
        return
    yield "### Hosts"
    yield ""
    yield f"{wording.judgements(report)}."
    yield ""
    unsafe = selection.unsafe_hosts(report)
    chosen = selection.all_hosts(report) if detail.hosts else unsafe
    shown = selection.first(chosen, len(chosen) if detail.hosts else BOUNDS.hosts)
    rows = (
        (
            code(names.get(each.host or "", each.host or "")),
            each.judgement.value,
            "-" if each.safe_on is None else each.safe_on.date().isoformat(),
            "<br>".join(prose(reason) for reason in wording.reasons(each, report)),
        )
        for each in shown.items
    )
    if shown.items:
        yield from table(("host", "verdict", "SAFE on", "reasons"), rows)
    yield from left_out(shown.left_out, "more host", "--hosts")


def _comparison(figures: Comparison, names: Mapping[str, str]) -> Iterator[str]:
    yield "### Comparison with CloudWatch"
    yield ""
    yield wording.comparison(figures)
    yield ""
    shown_notes = selection.first(figures.notes, BOUNDS.differences)
    yield from (f"- {prose(each)}" for each in shown_notes.items)
    yield ""
    yield from left_out(shown_notes.left_out, "more note", "--format json")
    shown = selection.first(figures.differences, BOUNDS.differences)
    headings = ("host", "from", "to", "metric", "CloudWatch", "log", "perhaps", "missing",
                "watched")  # fmt: skip
    rows = (
        (
            "all" if each.host is None else code(names.get(each.host, each.host)),
            wording.minute(each.period.start),
            wording.minute(each.period.end),
            code(each.metric),
            *map(wording.count, (each.counted, each.recorded, each.unanswered, each.missing)),
            "all of it" if each.is_covered else "not all of it",
        )
        for each in shown.items
    )
    if shown.items:
        yield from table(headings, rows, numbers=(4, 5, 6, 7))
    yield from left_out(shown.left_out, "more period", "--format json")


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield "### What to do next"
        yield ""
    for place, each in enumerate(steps, 1):
        yield f"**{place}\\. {prose(each.title)}** {prose(each.why)}"
        yield from commands(each.commands)


def _damage(report: Report) -> Iterator[str]:
    findings = report.findings
    unread = selection.first(findings.unread, BOUNDS.differences)
    if not findings.damaged and not findings.damage and not findings.unread:
        return
    yield f"### {wording.not_read(findings)}"
    yield ""
    yield from (f"- {code(wording.damage(each))}" for each in (*unread.items, *findings.damage))
    yield ""
    yield from left_out(unread.left_out, "more file", "--format json")
    if findings.damaged > len(findings.damage):
        yield "Of the damaged lines, only the first are listed."
