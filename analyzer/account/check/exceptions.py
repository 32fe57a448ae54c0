"""Reads ``--exceptions FILE``: what may allow IMDSv1, who decided it, why, and until when.

The file is TOML::

    [[exception]]
    rule = "instance"                  # default, template, configuration, group, image, instance
    resource = "i-0123456789abcdef0"   # an id or a name; * and ? stand for any characters
    account = "123456789012"           # without it: all accounts
    region = "eu-west-1"               # without it: all Regions
    by = "Ana, platform team"
    why = "the licence server cannot be upgraded before the move"
    until = 2026-12-31

A template version's id is ``lt-0123456789abcdef0:3``, and a default's is ``default``.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from analyzer.account.check.resources import Examined
from analyzer.account.check.rules import BY_NAME, Rule
from analyzer.account.plausible import ACCOUNT, REGION
from analyzer.config import decisions, toml
from analyzer.errors import ConfigError

_KEYS = ("rule", "resource", "account", "region", "by", "why", "until")
_MISSING = "an entry says which rule, which resource, who decided (by), why, and until when"
_ID = re.compile(r"(?:i|ami|lt)-[0-9a-f]{8,}\b", re.ASCII)
# An account that lost its leading zeros would cover nothing.
_FORMS = {"account": (ACCOUNT, "012345678901"), "region": (REGION, "eu-west-1")}
_EXCUSABLE = tuple(each.name for each in BY_NAME.values() if each.is_excusable)


@dataclass(frozen=True)
class Listed:
    """An exception. It counts up to and including the day ``until``, in UTC."""

    rule: str
    resource: str
    by: str
    why: str
    until: datetime.date
    account: Optional[str] = None
    region: Optional[str] = None

    def covers(self, rule: Rule, examined: Examined) -> bool:
        """Tell whether this is about a resource, however late it is."""
        return (
            rule.is_excusable
            and self.rule == rule.name
            and self.account in (None, examined.account)
            and self.region in (None, examined.region)
            and any(self._names(name) for name in _names_of(examined))
        )

    def _names(self, name: str) -> bool:
        # Brackets are themselves: names have them, and a class would excuse what nobody meant.
        return fnmatch.fnmatchcase(name, self.resource.replace("[", "[[]"))


def _names_of(examined: Examined) -> Iterator[str]:
    """Yield what a resource may be listed by: its id, and a name that is not like one.

    Whoever may tag an instance could else name it by the id of one that is listed.
    """
    yield examined.id
    if not _ID.match(examined.label):
        yield examined.label


def read(path: str) -> tuple[Listed, ...]:
    """Return the exceptions of a file; raises ConfigError, which names the entry and its fault."""
    document = toml.parse(path, toml.read(path, "the exceptions", "leave out --exceptions"))
    entries = toml.tables(path, document, "exception", "exceptions")
    if not entries:
        raise ConfigError(f"{path}: has no exception: write an entry that begins [[exception]]")
    return tuple(_listed(each, f"{path}, entry {n}") for n, each in enumerate(entries, 1))


def _listed(entry: Mapping[str, Any], place: str) -> Listed:
    decisions.check_keys(entry, _KEYS, place)
    texts = {
        key: decisions.text(entry, key, place, _MISSING)
        for key in ("rule", "resource", "by", "why")
    }
    if texts["rule"] not in _EXCUSABLE:
        raise ConfigError(
            f"{place}: there is no rule {texts['rule']!r}. It is one of {', '.join(_EXCUSABLE)}"
        )
    where = {
        key: decisions.text(entry, key, place, _MISSING)
        for key in ("account", "region")
        if key in entry
    }
    for key, value in where.items():
        form, example = _FORMS[key]
        if not form.fullmatch(value):
            raise ConfigError(
                f"{place}: {value!r} is not valid as {key}: write one such as {example!r}"
            )
    return Listed(**texts, **where, until=decisions.until(entry.get("until"), place))
