"""Names callers in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional

from analyzer.imds import AWS
from analyzer.report.callers import FURTHER, Group
from analyzer.report.formats.wording import at, label, listed, number
from analyzer.report.result import CallerStanding

Labels = Mapping[str, str]


def labels(groups: Iterable[Group]) -> Labels:
    """Return what each caller key is called. Callers of one name have their keys beside it."""
    named = {group.key.caller: label(group) for group in groups if group.key.provider == AWS}
    alike = Counter(named.values())
    return {
        caller: f"{name} [{caller}]" if alike[name] > 1 and name != caller else name
        for caller, name in named.items()
    }


def programs(groups: Iterable[Group]) -> Mapping[str, str]:
    """Return the program of each caller key."""
    return {group.key.caller: group.key.program for group in groups if group.key.provider == AWS}


def named(
    callers: Sequence[CallerStanding], of: Labels, notes: Optional[Mapping[str, str]] = None
) -> str:
    """Name callers, each with its calls, the last of them, and a note on it."""
    parts = []
    for caller in callers:
        facts = [number(caller.calls, "call"), f"last on {at(caller.last_v1_at)}"]
        if caller.former is not None:
            facts.append(f"on the former instance {caller.former}")
        note = (notes or {}).get(caller.caller)
        if note:
            facts.append(note)
        parts.append(f"{name(caller.caller, of)} ({', '.join(facts)})")
    return listed(parts)


def name(caller: str, of: Labels) -> str:
    """Return what one caller is called."""
    if caller == FURTHER:
        return "callers that the report has no room for"
    return of.get(caller, caller)
