"""Finds who owns an instance or a caller: by patterns of a file, else by an instance's tags."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

from analyzer.report.result import Instance

# Keys of tags that teams put an owner in, without case and separators; the first found counts.
OWNER_TAGS = (
    "owner", "owners", "ownedby", "serviceowner", "technicalowner", "ownerteam", "owningteam",
    "team", "teamname", "squad", "contact", "owneremail", "owneremailaddress", "maintainer",
    "department", "costcenter", "costcentre", "project", "service", "application", "app",
)  # fmt: skip


@dataclass(frozen=True)
class Patterns:
    """One entry of a file of owners: ``owner`` has what any of its patterns matches.

    Patterns are the shell's (``*``, ``?``, ``[...]``) and match whole values, with case.
    ``names`` are of instances and hosts, ``tags`` are pairs of a key and a pattern of the value,
    ``groups`` are Auto Scaling groups, launch templates and AMIs, ``callers`` are keys or programs.
    """

    owner: str
    names: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()

    def has(self, instance: Instance) -> bool:
        """Tell whether an instance is this owner's."""
        names = (*instance.names, instance.name, instance.id)
        groups = (instance.group, instance.template, instance.image)
        return (
            _is_any(names, self.names)
            or any(_is_any((instance.tags.get(key),), (of,)) for key, of in self.tags)
            or _is_any(groups, self.groups)
            or _is_any((instance.account,), self.accounts)
        )


@dataclass(frozen=True)
class Owners:
    """What tells owners: ``patterns`` first, in order, then the first of the ``tags`` there is."""

    tags: tuple[str, ...] = OWNER_TAGS
    patterns: tuple[Patterns, ...] = field(default=())

    def maybe_owner(self, instance: Instance) -> Optional[str]:
        """Return who owns an instance; None where nothing says so."""
        found = next((each.owner for each in self.patterns if each.has(instance)), None)
        return found if found is not None else maybe_owner(instance.tags, self.tags)

    def owned(self, instance: Instance) -> Instance:
        """Return the instance with its owner."""
        owner = self.maybe_owner(instance)
        return instance if owner is None else replace(instance, owner=owner)

    def maybe_owner_of_caller(self, key: str, program: str) -> Optional[str]:
        """Return whose a caller is wherever it runs; None where no pattern of callers says so."""
        return next(
            (each.owner for each in self.patterns if _is_any((key, program), each.callers)), None
        )


def maybe_owner(tags: Mapping[str, str], keys: Iterable[str] = OWNER_TAGS) -> Optional[str]:
    """Return who owns an instance with these tags; None where no tag says so."""
    by_key: dict[str, str] = {}
    for key, value in sorted(tags.items()):
        if value.strip():
            by_key.setdefault(plain(key), value)
    return next((by_key[each] for each in map(plain, keys) if each in by_key), None)


def plain(key: str) -> str:
    """Return a tag's key without case and separators."""
    return re.sub(r"[\s_.:/-]+", "", key).lower()


def _is_any(values: Iterable[Optional[str]], patterns: tuple[str, ...]) -> bool:
    return bool(patterns) and any(
        fnmatch.fnmatchcase(value, each) for value in values if value for each in patterns
    )
