"""Writes a check for people: each rule with what fails it."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.account.check.checking import Checked, Outcome, State
from analyzer.account.check.rules import RULES, Rule
from analyzer.text import visible

# More of one rule are counted only; the other formats have all.
SHOWN_MAX = 20


def as_text(outcome: Outcome) -> str:
    """Return the lines, the last of which is the result."""
    return "\n".join((*_lines(outcome), *_result(outcome))) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    for rule in RULES:
        failed = outcome.of(rule, State.FAILED)
        yield f"{'FAIL' if failed else 'ok':<5} {rule.title}{_counts(rule, outcome)}"
        for each in failed[:SHOWN_MAX]:
            yield f"      {_resource(each)}: {visible(each.examined.reason or '')}"
        if len(failed) > SHOWN_MAX:
            yield f"      and {len(failed) - SHOWN_MAX} more (--format json has all)"
        if failed:
            yield f"      -> {rule.help}"
        for each in outcome.of(rule, State.EXCEPTED):
            given = each.exception
            if given is not None:
                why = f"{given.by}, until {given.until}: {given.why}"
                yield f"      excepted: {_resource(each)} ({visible(why)})"
    for note in outcome.notes:
        yield f"note: {note}"


def _counts(rule: Rule, outcome: Outcome) -> str:
    unchanged = len(outcome.of(rule, State.UNCHANGED))
    counts = [f"{len(outcome.of(rule))} checked"] if rule.is_excusable else []
    if unchanged:
        counts.append(f"{unchanged} not new")
    return f" ({', '.join(counts)})" if counts else ""


def _resource(checked: Checked) -> str:
    of = checked.examined
    where = " ".join(each for each in (of.account, of.region) if each)
    name = (
        of.label if of.id in of.label or checked.rule.name == "default" else f"{of.label} {of.id}"
    )
    return visible(f"{where} {name}".strip())


def _result(outcome: Outcome) -> Iterator[str]:
    failed = len(outcome.failed)
    if failed:
        things = "thing fails" if failed == 1 else "things fail"
        yield f"{failed} {things} (exit code {outcome.exit_code})"
    else:
        yield "Nothing new allows IMDSv1." if outcome.is_compared else "Nothing allows IMDSv1."
