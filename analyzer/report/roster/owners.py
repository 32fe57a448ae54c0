"""Finds who owns an instance or a caller: by patterns of a file, else by tags or pods' labels."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

from analyzer.report.roster.instances import Instance

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
    ``labels`` are pairs of a pod label's name and a pattern of its value.
    """

    owner: str
    names: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

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

    def has_caller(self, key: str, program: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a caller is this owner's wherever it runs."""
        return _is_any((key, program), self.callers) or any(
            _is_any((labels.get(name),), (of,)) for name, of in self.labels
        )


@dataclass(frozen=True)
class Owners:
    """Rules for owners: ``patterns`` first, in order, then the first existing tag of ``tags``.

    Of callers in pods, the first of the ``labels`` there is, in place of tags.
    """

    tags: tuple[str, ...] = OWNER_TAGS
    patterns: tuple[Patterns, ...] = field(default=())
    labels: tuple[str, ...] = ()

    def maybe_owner(self, instance: Instance) -> Optional[str]:
        """Return who owns an instance; None where nothing says so."""
        found = next((each.owner for each in self.patterns if each.has(instance)), None)
        return found if found is not None else maybe_owner(instance.tags, self.tags)

    def owned(self, instance: Instance) -> Instance:
        """Return the instance with its owner."""
        owner = self.maybe_owner(instance)
        return instance if owner is None else replace(instance, owner=owner)

    def maybe_owner_of_caller(self, key: str, program: str, labels: str = "") -> Optional[str]:
        """Return whose a caller is wherever it runs; None where neither pattern nor label says so.

        ``labels`` are its pods', as :class:`analyzer.report.callers.Key` has them.
        """
        by_name = labels_of(labels)
        found = (each.owner for each in self.patterns if each.has_caller(key, program, by_name))
        named = next(found, None)
        if named is not None:
            return named
        return next((by_name[name] for name in self.labels if by_name.get(name)), None)


def maybe_owner(tags: Mapping[str, str], keys: Iterable[str] = OWNER_TAGS) -> Optional[str]:
    """Return who owns an instance with these tags; None where no tag says so."""
    by_key: dict[str, str] = {}
    for key, value in sorted(tags.items()):
        if value.strip():
            by_key.setdefault(plain(key), value)
    return next((by_key[each] for each in map(plain, keys) if each in by_key), None)


def labels_of(text: str) -> Mapping[str, str]:
    """Return labels by name. Neither names nor values have a comma or a colon."""
    pairs = (each.partition(":") for each in text.split(", "))
    return {name: value for name, _, value in pairs if name and value}


def plain(key: str) -> str:
    """Return a tag's key without case and separators."""
    return re.sub(r"[\s_.:/-]+", "", key).lower()


def _is_any(values: Iterable[Optional[str]], patterns: tuple[str, ...]) -> bool:
    return bool(patterns) and any(
        fnmatch.fnmatchcase(value, each) for value in values if value for each in patterns
    )
