"""Prints a snapshot for people: per account and Region, what failed, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.account.launch import LAUNCHERS, Launch
from analyzer.account.launches import Place, launches
from analyzer.account.model import (
    Defaults,
    Failure,
    InstanceFacts,
    Part,
    Period,
    RegionFacts,
    Snapshot,
)
from analyzer.account.new_instance import Outcome
from analyzer.audit.changes import Change
from analyzer.text import visible

# Rows of each list; the snapshot has all.
ROWS_MAX = 12
_ENDED = ("terminated", "shutting-down")
_COLUMNS = ("instances", "allow v1", "v1 calls", "refused", "make v1", "default")


class _Row(NamedTuple):
    """The figures of an account and Region. None is unknown.

    ``uncounted`` are running instances of which CloudWatch has no figure.
    """

    instances: Optional[int]
    allow_v1: Optional[int]
    calls: Optional[int]
    refused: Optional[int]
    uncounted: int
    launches_v1: int
    launches_unknown: int


_NOTHING = _Row(0, 0, 0, 0, 0, 0, 0)
_NOTHING_ASKED = _Row(0, 0, None, None, 0, 0, 0)


def write(
    snapshot: Snapshot,
    console: Console,
    *,
    changes: Optional[Sequence[Change]] = None,
    file: Optional[str] = None,
) -> None:
    """Write the screen. ``file`` is where the snapshot stands, None if it was not written.

    ``changes`` are those since an earlier snapshot, None if there was none.
    """
    launched = launches(snapshot)
    console.print(_table(snapshot, launched))
    console.print()
    for line in _lines(snapshot, launched, changes, file):
        console.print(line, soft_wrap=True)


def _table(snapshot: Snapshot, launched: Sequence[Launch]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("account, Region", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    launched_in: dict[Place, list[Launch]] = {}
    for launch in launched:
        launched_in.setdefault((launch.account, launch.region), []).append(launch)
    failed_in: dict[Place, set[Part]] = {}
    for failure in snapshot.failures:
        failed_in.setdefault((failure.account, failure.region), set()).add(failure.part)
    names = {account.id: account.name for account in snapshot.accounts}
    shown, empty = "", 0
    for facts in snapshot.regions:
        place = facts.account, facts.region
        failed = failed_in.get(place, set())
        row = _row(facts, launched_in.get(place, ()), failed, snapshot.metrics)
        if row in (_NOTHING, _NOTHING_ASKED) and not failed:
            empty += 1
            continue
        if facts.account != shown:
            shown = facts.account
            table.add_row(f"{shown} {visible(names.get(shown) or '')}".rstrip())
        table.add_row(f"  {facts.region}", *_cells(row), _default(facts.defaults))
    if empty:
        holds = "Region has nothing in it" if empty == 1 else "Regions have nothing in them"
        table.caption = f"{empty:,} more {holds}."
    table.caption_justify = "left"
    return table


def _row(
    facts: RegionFacts, launched: Sequence[Launch], failed: set[Part], asked: Optional[Period]
) -> _Row:
    there = [instance for instance in facts.instances if instance.state not in _ENDED]
    calls = [instance.calls for instance in there if instance.calls is not None]
    has_instances = Part.INSTANCES not in failed
    is_counted = asked is not None and has_instances and (bool(calls) or not there)
    # One that says nothing of HttpTokens is no instance that is known to require v2.
    allow = sum(instance.allows_v1 is not False for instance in there)
    accepted = sum(found.no_token for found in calls)
    refused = sum(found.no_token_rejected for found in calls)
    return _Row(
        len(there) if has_instances else None,
        allow if has_instances else None,
        accepted if is_counted else None,
        refused if is_counted else None,
        sum(_is_uncounted(instance) for instance in there) if is_counted else 0,
        sum(launch.new.outcome is Outcome.V1 for launch in launched),
        sum(_is_unknown(launch) for launch in launched),
    )


def _cells(row: _Row) -> Iterator[Text]:
    for name, number in zip(row._fields[:4], row[:4]):
        style = "red" if name in ("allow_v1", "calls") and number else ""
        text = Text("?", "yellow") if number is None else Text(f"{number:,}", style)
        if row.uncounted and name in ("calls", "refused"):
            text.append(" +?", "yellow")
        yield text
    text = Text(f"{row.launches_v1:,}", "red" if row.launches_v1 else "")
    if row.launches_unknown:
        text.append(f" +{row.launches_unknown:,}?", "yellow")
    yield text


def _default(defaults: Optional[Defaults]) -> Text:
    """Say in a word what the Region's default for new instances is."""
    if defaults is None:
        return Text("?", "yellow")
    if defaults.tokens_enforced == "enabled":
        return Text("enforced", "green")
    words = {"required": Text("v2", "green"), "optional": Text("v1", "red")}
    return words.get(defaults.options.http_tokens or "", Text("none"))


def _lines(
    snapshot: Snapshot,
    launched: Sequence[Launch],
    changes: Optional[Sequence[Change]],
    file: Optional[str],
) -> Iterator[Text]:
    yield from _launches(launched, snapshot)
    if changes is not None:
        yield from _changes(changes)
    yield from _failures(snapshot.failures)
    yield _sum(snapshot)
    yield _next(file)


def _launches(launched: Sequence[Launch], snapshot: Snapshot) -> Iterator[Text]:
    """Yield what makes new instances with v1; what launches by itself comes first."""
    bad = [launch for launch in launched if launch.new.may_allow_v1]
    if not bad:
        if launched and snapshot.is_complete:
            yield Text(
                "No template, launch configuration, group or fleet would make v1.\n", "green"
            )
        return
    bad.sort(
        key=lambda launch: (launch.new.outcome is not Outcome.V1, launch.kind not in LAUNCHERS)
    )
    certain = sum(launch.new.outcome is Outcome.V1 for launch in bad)
    unsure = f" {len(bad) - certain:,} may, as not all is known." if certain < len(bad) else ""
    yield Text(f"{certain:,} would launch instances that allow v1.{unsure}", "bold")
    for launch in bad[:ROWS_MAX]:
        where = f"{launch.account} {launch.region} {launch.kind.value} {visible(launch.label)}"
        line = Text(f"  {where}\n    {visible(launch.new.reason)}")
        for note in launch.notes:
            line.append(f"; {note}")
        yield line
    yield from _more(len(bad) - ROWS_MAX, "templates, configurations, groups and fleets")
    yield Text()


def _changes(changes: Sequence[Change]) -> Iterator[Text]:
    if not changes:
        yield Text("Nothing changed since the earlier snapshot.\n")
        return
    worse = sum(change.is_worse for change in changes)
    count = _counted(len(changes), "change")
    yield Text(f"{count} since the earlier snapshot, {worse} for the worse:", "bold")
    for change in sorted(changes, key=lambda found: not found.is_worse)[:ROWS_MAX]:
        words = f"  {change.account} {change.region} {visible(change.name)} {visible(change.text)}"
        yield Text(words, "red" if change.is_worse else "")
    yield from _more(len(changes) - ROWS_MAX, "changes")
    yield Text()


def _failures(failures: Sequence[Failure]) -> Iterator[Text]:
    if not failures:
        return
    yield Text("Not read:", "bold yellow")
    alike: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        alike.setdefault((failure.code, failure.text), []).append(failure)
    for (code, text), found in list(alike.items())[:ROWS_MAX]:
        parts = ", ".join(dict.fromkeys(failure.part.value for failure in found))
        places = ", ".join(dict.fromkeys(_place(failure) for failure in found))
        yield Text(f"  {places}: {parts}\n    {code}: {visible(text)}", "yellow")
    yield from _more(len(alike) - ROWS_MAX, "failures")
    yield Text()


def _place(failure: Failure) -> str:
    return " ".join(filter(None, (failure.account, failure.region))) or "the organization"


def _sum(snapshot: Snapshot) -> Text:
    there = [
        instance
        for facts in snapshot.regions
        for instance in facts.instances
        if instance.state not in _ENDED
    ]
    allow = sum(instance.allows_v1 is not False for instance in there)
    said = f"{_counted(len(there), 'instance')}, {allow:,} allow{'s' if allow == 1 else ''} v1"
    if snapshot.metrics is not None:
        calling = [found for found in there if found.calls is not None and found.calls.no_token]
        total = sum(found.calls.no_token for found in calling if found.calls is not None)
        days = (snapshot.metrics.end - snapshot.metrics.start).days
        said += f"; {len(calling):,} made {_counted(total, 'v1 call')} in {_counted(days, 'day')}"
        uncounted = sum(_is_uncounted(instance) for instance in there)
        if uncounted:
            said += f"; of {uncounted:,} running, CloudWatch has no figure"
    if snapshot.is_complete:
        return Text(f"{said}.", "bold")
    return Text(f"Incomplete: at least {said}.", "bold yellow")


def _next(file: Optional[str]) -> Text:
    if file is None:
        return Text("Keep it for the report: add --output accounts.json.gz")
    return Text(f"Next: imds-analyzer report LOGS --account {shlex.quote(visible(file))}")


def _more(beyond: int, what: str) -> Iterator[Text]:
    if beyond > 0:
        yield Text(f"  {beyond:,} more {what}: the snapshot has them.")


def _is_uncounted(instance: InstanceFacts) -> bool:
    """Tell whether its calls are unknown. An instance that does not run makes none."""
    calls = instance.calls
    is_told = calls is not None and (calls.hours_counted > 0 or calls.no_token > 0)
    return instance.state == "running" and not is_told


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _is_unknown(launch: Launch) -> bool:
    return launch.new.outcome is Outcome.UNKNOWN and launch.new.may_allow_v1
