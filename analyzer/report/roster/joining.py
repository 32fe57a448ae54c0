"""Finds the log of each instance of a roster: by the instance id, else by a name that is unique."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from analyzer.imds import INSTANCE_ID
from analyzer.report.hosts import Host
from analyzer.report.roster.instances import Instance, Roster

# A host that is named after its instance: i-0123456789abcdef0.eu-west-1.compute.internal.
_ID_AS_NAME = re.compile(rf"({INSTANCE_ID.pattern})(?![0-9a-z])", re.ASCII)


def maybe_instance_id(host: Host) -> Optional[str]:
    """Return a host's instance id, out of its lines or out of a name that is one."""
    if INSTANCE_ID.fullmatch(host.instance_id or ""):
        return host.instance_id
    match = _ID_AS_NAME.match(host.name)
    return match[1] if match else None


def join(roster: Roster, hosts: Sequence[Host]) -> Roster:
    """Return the roster with the key of the host whose log is each instance's, if there is one.

    An instance with an id has the log with this id. By its name it has one only if the log
    has no id, and if no other instance and no other host has this name: private names repeat.
    """
    by_id = {identity: each.key for each in hosts if (identity := maybe_instance_id(each))}
    every = _Names(hosts)
    without_id = _Names([each for each in hosts if maybe_instance_id(each) is None])
    instances = [each for each in roster.instances if each.id is not None]
    claims = Counter(without_id.maybe_host(each) for each in instances)
    found: list[Instance] = []
    for each in instances:
        named = without_id.maybe_host(each)
        # Beside a log with the id of another instance, the name was that one's, too.
        named = named if every.maybe_host(each) == named else None
        key = by_id.get(each.id or "") or (named if claims[named] == 1 else None)
        found.append(replace(each, host=key))
    # A line with a name alone may mean an instance that another line has.
    watched = {each.host for each in found}
    for each in (each for each in roster.instances if each.id is None):
        key = every.maybe_host(each)
        if key is None or key not in watched:
            found.append(replace(each, host=key))
            watched.add(key)
    return replace(roster, instances=tuple(found))


class _Names:
    """Hosts by their names: whole, and without a domain."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._whole: dict[str, set[str]] = {}
        self._short: dict[str, set[str]] = {}
        for host in hosts:
            for name in map(_plain, (host.name, *host.names)):
                self._whole.setdefault(name, set()).add(host.key)
                self._short.setdefault(name.partition(".")[0], set()).add(host.key)

    def maybe_host(self, instance: Instance) -> Optional[str]:
        """Return the key of the only host with a name of an instance.

        A name without a domain is the same in each domain; in two domains are two names.
        """
        found: set[str] = set()
        for name in map(_plain, (*instance.names, instance.name or "")):
            short, _, domain = name.partition(".")
            found |= self._whole.get(name, set()) | self._whole.get(short, set())
            found |= set() if domain else self._short.get(name, set())
        return found.pop() if len(found) == 1 else None


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
