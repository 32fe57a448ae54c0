"""Checks a snapshot: applies the rules, the exceptions, and an earlier snapshot."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.account.check.exceptions import Listed
from analyzer.account.check.resources import Examined, Moment
from analyzer.account.check.rules import RULES, Rule
from analyzer.account.model import Snapshot
from analyzer.text import visible

# Of an audit each night, one may fail or be late.
MAX_AGE = datetime.timedelta(days=2)


class State(enum.Enum):
    """The result of a rule for a resource."""

    PASSED = "passed"
    FAILED = "failed"
    EXCEPTED = "excepted"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Checked:
    """A resource with the rule and its state. ``exception`` is the one that excuses it."""

    rule: Rule
    examined: Examined
    state: State
    exception: Optional[Listed] = None

    @property
    def key(self) -> str:
        """The parts that stay the same from one snapshot to the next."""
        of = self.examined
        return "|".join((self.rule.id, of.account or "", of.region or "", of.id))


@dataclass(frozen=True)
class Outcome:
    """The result of a check. ``notes`` list exceptions that are past or cover nothing."""

    taken_at: datetime.datetime
    is_compared: bool
    checked: tuple[Checked, ...]
    notes: tuple[str, ...] = ()

    def of(self, rule: Rule, *states: State) -> tuple[Checked, ...]:
        """Return what a rule checked, in these states, or in all."""
        return tuple(
            each
            for each in self.checked
            if each.rule is rule and (not states or each.state in states)
        )

    @property
    def failed(self) -> tuple[Checked, ...]:
        """The resources that fail the check."""
        return tuple(each for each in self.checked if each.state is State.FAILED)

    @property
    def exit_code(self) -> int:
        """The code of the first rule that failed, in the order of the table; else 0."""
        return next((rule.exit_code for rule in RULES if self.of(rule, State.FAILED)), 0)


def check(
    snapshot: Snapshot,
    exceptions: Sequence[Listed] = (),
    *,
    now: datetime.datetime,
    max_age: datetime.timedelta = MAX_AGE,
    previous: Optional[Snapshot] = None,
) -> Outcome:
    """Apply all rules. What failed in ``previous`` too is unchanged, and does not fail.

    What could not be told then may have been fine: it excuses nothing that is certain now. An
    exception that is past the day of ``now``, in UTC, excuses nothing.
    """
    moment = Moment(now, max_age)
    today = now.astimezone(datetime.timezone.utc).date()
    before = {
        each.key: each.examined.is_certain
        for each in (() if previous is None else _checked(previous, (), moment))
        if _fails(each)
    }
    valid = [each for each in exceptions if each.until >= today]
    checked = tuple(
        _compared(each, before) if each.state is State.FAILED else each
        for each in _checked(snapshot, valid, moment)
    )
    notes = tuple(_notes(exceptions, checked, today))
    return Outcome(snapshot.taken_at, previous is not None, checked, notes)


def _checked(snapshot: Snapshot, exceptions: Sequence[Listed], moment: Moment) -> Iterator[Checked]:
    for rule in RULES:
        of_rule = [each for each in exceptions if each.rule == rule.name]
        for examined in rule.examine(snapshot, moment):
            if examined.reason is None:
                yield Checked(rule, examined, State.PASSED)
                continue
            listed = next((each for each in of_rule if each.covers(rule, examined)), None)
            state = State.FAILED if listed is None else State.EXCEPTED
            yield Checked(rule, examined, state, listed)


def _fails(checked: Checked) -> bool:
    return checked.state is State.FAILED and checked.rule.is_excusable


def _compared(checked: Checked, before: Mapping[str, bool]) -> Checked:
    was_certain = before.get(checked.key)
    is_known = was_certain is not None and (was_certain or not checked.examined.is_certain)
    if checked.rule.is_excusable and is_known:
        return Checked(checked.rule, checked.examined, State.UNCHANGED)
    return checked


def _notes(
    exceptions: Sequence[Listed], checked: Sequence[Checked], today: datetime.date
) -> Iterator[str]:
    wrong = [each for each in checked if each.examined.reason is not None]
    for each in exceptions:
        name = f"the exception for {each.rule} {each.resource!r} by {visible(each.by)}"
        if each.until < today:
            yield f"{name} ended on {each.until}: decide anew, or remove the entry."
        elif not any(each.covers(of.rule, of.examined) for of in wrong):
            yield f"{name} covers nothing that allows IMDSv1: remove the entry."
