"""Writes a row per caller, for a spreadsheet or a script that reads columns.

Columns are only ever added, behind the others. A cell is one line: control characters are
escaped. A cell that a spreadsheet would take for a formula has an apostrophe before it, which
is not part of the value.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable, Optional, Union

from analyzer.imds import AWS
from analyzer.report.callers import Group
from analyzer.report.formats import code_words, fix_words, fixes, fleet, outlook
from analyzer.report.formats.fixes import Fix
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.result import Entry, Report
from analyzer.text import visible

Cell = Union[str, int, None]

# Between the parts of a cell that lists several.
SEPARATOR = " | "

# What spreadsheets begin a formula with, also in the full width of East Asian input methods.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
OUTCOMES = ("success", "rejected", "not_found", "error", "no_response")


def _outcome(version: str, outcome: Optional[str]) -> Callable[[Entry], Cell]:
    def count(entry: Entry) -> Cell:
        return sum(
            each.requests
            for each in entry.group.tallies
            if each.version == version and each.outcome == outcome
        )

    return count


COLUMNS: dict[str, Callable[[Entry], Cell]] = {
    "program": lambda entry: entry.group.key.program,
    "launcher": lambda entry: entry.group.key.launcher,
    "unit": lambda entry: entry.group.key.unit,
    "place": lambda entry: entry.group.key.place,
    "user_agent": lambda entry: entry.group.key.user_agent,
    "provider": lambda entry: entry.group.key.provider,
    "v1": lambda entry: entry.group.count("v1"),
    "unknown": lambda entry: entry.group.count("unknown"),
    "v2": lambda entry: entry.group.count("v2"),
    **{f"v1_{outcome}": _outcome("v1", outcome) for outcome in OUTCOMES},
    "v1_outcome_not_known": _outcome("v1", None),
    "first_at": lambda entry: _moment(entry.group.first_at),
    "last_at": lambda entry: _moment(entry.group.last_at),
    "last_v1_at": lambda entry: _moment(entry.group.last_v1_at),
    "days": lambda entry: len(entry.group.days),
    "v1_days": lambda entry: len(entry.group.v1_days),
    "host_count": lambda entry: entry.group.host_count,
    "hosts": lambda entry: SEPARATOR.join(entry.group.hosts),
    "users": lambda entry: SEPARATOR.join(entry.group.users),
    "workload_count": lambda entry: entry.group.workload_count,
    "workloads": lambda entry: SEPARATOR.join(entry.group.workloads),
    "paths": lambda entry: SEPARATOR.join(path for path, _ in entry.group.paths),
    "forwarded": lambda entry: entry.group.forwarded,
    "token_failures": lambda entry: _failures(entry.group),
    "hop_limits": lambda entry: SEPARATOR.join(
        f"{limit} {number}" for limit, number in entry.group.hop_limits
    ),
    "cause": lambda entry: entry.diagnosis.cause.value,
    "summary": lambda entry: entry.diagnosis.summary,
    "advice": lambda entry: " ".join(entry.diagnosis.advice),
    "client": lambda entry: entry.diagnosis.client,
    "version": lambda entry: entry.diagnosis.version,
    "needed": lambda entry: entry.diagnosis.needed,
    "caller": lambda entry: entry.group.key.caller,
    "kind": lambda entry: entry.group.key.kind,
    "user_agents": lambda entry: SEPARATOR.join(entry.group.user_agents),
    "evidence": lambda entry: SEPARATOR.join(entry.diagnosis.evidence),
}


_HOSTS = list(COLUMNS).index("hosts")

# About the verdict: of all hosts on which the caller is in the way, or of which it is cleared.
OF_THE_VERDICT: dict[str, Callable[[Optional[FleetCaller], Optional[FleetCaller]], Cell]] = {
    "standing": lambda left, cleared: _standing(left or cleared),
    "hosts_in_the_way": lambda left, _: 0 if left is None else left.host_count,
    "host_keys_in_the_way": lambda left, _: None if left is None else SEPARATOR.join(left.hosts),
    "safe_on": lambda left, _: None if left is None else _moment(left.safe_on),
    "cleared": lambda _, cleared: None if cleared is None else outlook.cleared(cleared),
}


# Of its code: behind all others, as columns are only added there.
OF_THE_CODE: dict[str, Callable[[Group], Cell]] = {
    "applications": lambda group: SEPARATOR.join(code_words.applications(group)),
    "libraries": lambda group: SEPARATOR.join(code_words.libraries(group)),
    "packages": lambda group: SEPARATOR.join(code_words.packages(group)),
    "script_lines": lambda group: SEPARATOR.join(code_words.lines(group)),
    "origins": lambda group: SEPARATOR.join(code_words.origins(group)),
}
# Of its containers: behind those, for the same reason.
OF_THE_CONTAINERS: dict[str, Callable[[Group], Cell]] = {
    "deployed": lambda group: group.key.deployed,
    "container": lambda group: group.key.container,
    "image": lambda group: group.key.image,
    "labels": lambda group: group.key.labels,
    "through": lambda group: group.key.through,
}


# Of what has to be changed for it: the number of the fix, which callers of one fix have in common.
OF_THE_FIX: dict[str, Callable[[Optional[int], Optional[Fix]], Cell]] = {
    "fix": lambda number, _: number,
    "fix_act": lambda _, fix: None if fix is None else fix.target.act.value,
    "fix_title": lambda _, fix: None if fix is None else fix_words.title(fix),
    "fix_callers": lambda _, fix: None if fix is None else len(fix.members),
    "fix_hosts": lambda _, fix: None if fix is None else fix.host_count,
    "fix_calls": lambda _, fix: None if fix is None else fix.calls,
    "fix_versions": lambda _, fix: None if fix is None else SEPARATOR.join(fix.versions),
}


# Remarks of the verdict that say that it may be better than what is known.
_TOLD_BESIDE = ("left_out", "less_silence")
REMARKS = "remarks"


def told_beside(report: Report) -> Iterator[str]:
    """Yield what has to be told with a verdict, also where its reasons are not."""
    for reason in report.verdict.reasons:
        if reason.code in _TOLD_BESIDE:
            yield reason.text


# Of snapshots of accounts: in which sets the instances are on which a caller is in the way.
OF_THE_ACCOUNT = ("instance_sets",)


def as_text(report: Report) -> str:
    """Return the header and a row for each caller: incidents, then in the report's order.

    Callers in the way whose calls ``--since`` leaves out come last, with the key and the standing.
    """
    left = {each.key: each for each in fleet.in_the_way(report)}
    cleared = {each.key: each for each in fleet.cleared(report)}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        [
            *COLUMNS,
            *OF_THE_VERDICT,
            *OF_THE_CODE,
            *OF_THE_CONTAINERS,
            *OF_THE_ACCOUNT,
            REMARKS,
            *OF_THE_FIX,
        ]
    )
    remarks = SEPARATOR.join(told_beside(report)) or None
    sets = _sets(report)
    names = fleet.names(report)
    changes = fixes.of(report)
    numbers = fixes.place_of(changes)
    for entry in sorted(report.entries, key=lambda each: not each.is_incident):
        key = entry.group.key.caller if entry.group.key.provider == AWS else None
        cells = [column(entry) for column in COLUMNS.values()]
        cells[_HOSTS] = SEPARATOR.join(names.get(each, each) for each in entry.group.hosts)
        found = (left.get(key), cleared.get(key)) if key is not None else (None, None)
        cells += [each(*found) for each in OF_THE_VERDICT.values()]
        cells += [
            each(entry.group) for each in (*OF_THE_CODE.values(), *OF_THE_CONTAINERS.values())
        ]
        cells += [sets.get(key or "", ""), remarks, *_fix(key, numbers, changes)]
        writer.writerow(map(cell, cells))
    for caller in fleet.unlisted(report):
        known: dict[str, Cell] = {"caller": caller.key, "last_v1_at": _moment(caller.last_v1_at)}
        cells = [known.get(name) for name in COLUMNS]
        found = (caller, cleared.get(caller.key))
        cells += [each(*found) for each in OF_THE_VERDICT.values()]
        cells += [None] * (len(OF_THE_CODE) + len(OF_THE_CONTAINERS))
        cells += [sets.get(caller.key, ""), remarks, *_fix(caller.key, numbers, changes)]
        writer.writerow(map(cell, cells))
    return file.getvalue()


def _sets(report: Report) -> Mapping[str, str]:
    """Return the sets of instances by the callers in the way there, with the instances' number."""
    found: dict[str, list[str]] = {}
    for of in report.inventory.sets if report.inventory is not None else ():
        number = Counter(key for each in of.members for key in each.callers)
        for key, many in number.items():
            found.setdefault(key, []).append(f"{of.kind.value} {many}")
    return {key: SEPARATOR.join(several) for key, several in found.items()}


def _fix(key: Optional[str], numbers: Mapping[str, int], changes: Sequence[Fix]) -> Iterator[Cell]:
    number = numbers.get(key) if key is not None else None
    fix = changes[number - 1] if number is not None else None
    return (column(number, fix) for column in OF_THE_FIX.values())


def _standing(caller: Optional[FleetCaller]) -> Optional[str]:
    return None if caller is None or caller.standing is None else caller.standing.value


def cell(value: Cell) -> str:
    """Return what stands in a cell; it can do nothing there."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    text = visible(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _moment(at: Optional[datetime.datetime]) -> Optional[str]:
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _failures(group: Group) -> str:
    return SEPARATOR.join(
        f"{name} {number}" for name, number in sorted(group.token_failures.items())
    )
