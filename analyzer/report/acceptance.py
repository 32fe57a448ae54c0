"""Reads ``--accept FILE``: callers that somebody decided to live without, and until when.

The file is TOML::

    [[accept]]
    caller = "uid=0;program=curl;by=/opt/old/inventory.sh"  # a caller's key, or its program
    by = "Ana, platform team"
    why = "it is retired in December; nothing reads its output"
    until = 2026-12-31
    hosts = ["i-0123456789abcdef0"]  # instance ids, names or groups; without it: all
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analyzer.config import decisions, toml
from analyzer.errors import ConfigError
from analyzer.report.findings import Findings
from analyzer.report.result import Acceptance
from analyzer.text import visible

_TEXTS = ("caller", "by", "why")
_KEYS = (*_TEXTS, "until", "hosts")
_MISSING = "an entry says which caller, who decided (by), why, and until when"


def read(path: str) -> tuple[Acceptance, ...]:
    """Return the decisions of a file; raises ConfigError, which names the entry and its fault."""
    document = toml.parse(path, toml.read(path, "the accepted callers", "leave out --accept"))
    entries = toml.tables(path, document, "accept", "accepted callers")
    if not entries:
        raise ConfigError(f"{path}: accepts no caller: write an entry that begins with [[accept]]")
    return tuple(_acceptance(each, _place(path, n, each)) for n, each in enumerate(entries, 1))


def notes(
    accepted: Sequence[Acceptance], findings: Findings, now: datetime.datetime
) -> Iterator[str]:
    """Say which decisions no longer count, and which fit no caller of the log."""
    known = {each.key.caller for each in findings.groups}
    known |= {each.key.program for each in findings.groups}
    known |= {each.caller for each in findings.sightings}
    for each in accepted:
        if each.until < now.astimezone(datetime.timezone.utc).date():
            yield (
                f"{each.caller!r} was accepted by {visible(each.by)} until {each.until}. That is"
                " past, so the caller counts again: decide anew, or remove the entry."
            )
        elif each.caller not in known:
            yield f"{each.caller!r} is accepted, but no caller in the log has this key or program."


def _place(path: str, number: int, entry: Mapping[str, Any]) -> str:
    caller = entry.get("caller")
    of = repr(caller) if isinstance(caller, str) else "without a caller"
    return f"{path}, entry {number} ({of})"


def _acceptance(entry: Mapping[str, Any], place: str) -> Acceptance:
    decisions.check_keys(entry, _KEYS, place)
    caller, by, why = (decisions.text(entry, key, place, _MISSING) for key in _TEXTS)
    return Acceptance(
        caller=caller,
        by=by,
        why=why,
        until=decisions.until(entry.get("until"), place),
        hosts=_hosts(entry.get("hosts", None), place),
    )


def _hosts(value: object, place: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(e, str) and e.strip() for e in value):
        return tuple(value)
    raise ConfigError(
        f'{place}: hosts must be a list such as ["i-0123456789abcdef0", "web-1"], of instance ids,'
        " host names or groups; leave it out for all hosts"
    )
