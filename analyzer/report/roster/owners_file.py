"""Reads ``--owners FILE``: patterns that say whose instances and callers are.

The file is TOML; the first entry that matches counts::

    [[owner]]
    owner = "payments"
    names = ["pay-*"]                # Name tags, names of hosts, instance ids
    tags = ["Service=payments-*"]    # KEY=PATTERN of the value
    groups = ["asg-pay-*"]           # Auto Scaling groups, launch templates, AMIs
    accounts = ["111122223333"]
    callers = ["*program=pay-agent*"]  # callers' keys or programs
    labels = ["team=payments*"]      # LABEL=PATTERN of the value, of callers in pods
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analyzer.config import toml
from analyzer.errors import ConfigError
from analyzer.report.roster.owners import Patterns

_LISTS = ("names", "tags", "groups", "accounts", "callers", "labels")
_KEYS = ("owner", *_LISTS)
_ACCOUNT = re.compile(r"[0-9*?\[\]!-]{1,60}", re.ASCII)


def read(path: str) -> tuple[Patterns, ...]:
    """Return the entries of a file; raises ConfigError, which names the entry and its fault."""
    document = toml.parse(path, toml.read(path, "the owners", "leave out --owners"))
    entries = toml.tables(path, document, "owner", "owners")
    if not entries:
        raise ConfigError(f"{path}: names no owner: write an entry that begins with [[owner]]")
    return tuple(_patterns(each, _place(path, n, each)) for n, each in enumerate(entries, 1))


def _place(path: str, number: int, entry: Mapping[str, Any]) -> str:
    owner = entry.get("owner")
    return (
        f"{path}, entry {number} ({owner!r})"
        if isinstance(owner, str)
        else (f"{path}, entry {number}")
    )


def _patterns(entry: Mapping[str, Any], place: str) -> Patterns:
    unknown = sorted(entry.keys() - set(_KEYS))
    if unknown:
        raise ConfigError(f"{place}: unknown key {unknown[0]!r}. The keys are {', '.join(_KEYS)}")
    owner = entry.get("owner")
    if not isinstance(owner, str) or not owner.strip():
        raise ConfigError(f'{place}: owner must be a name in quotes, such as owner = "payments"')
    lists = {key: _list(entry.get(key), place, key) for key in _LISTS}
    if not any(lists.values()):
        raise ConfigError(f"{place}: matches nothing: give it one of {', '.join(_LISTS)}")
    for account in lists["accounts"]:
        if not _ACCOUNT.fullmatch(account):
            raise ConfigError(
                f'{place}: {account!r} is no account: write its 12 digits, such as "111122223333"'
            )
    return Patterns(
        owner=owner.strip(),
        names=lists["names"],
        tags=tuple(_pair(each, place, "tags") for each in lists["tags"]),
        groups=lists["groups"],
        accounts=lists["accounts"],
        callers=lists["callers"],
        labels=tuple(_pair(each, place, "labels") for each in lists["labels"]),
    )


def _list(value: object, place: str, key: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(e, str) and e.strip() for e in value):
        return tuple(value)
    raise ConfigError(f'{place}: {key} must be a list of patterns in quotes, such as ["web-*"]')


def _pair(text: str, place: str, of: str) -> tuple[str, str]:
    key, equals, pattern = text.partition("=")
    if not key.strip() or not equals or not pattern:
        raise ConfigError(
            f'{place}: {of} has {text!r}, which is not KEY=PATTERN, such as "Service=payments-*"'
        )
    return key.strip(), pattern
