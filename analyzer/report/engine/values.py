"""Asks an engine for the values that are shown of each group: its facts, and its lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.report.callers import HOSTS_LISTED_MAX, PATHS_LISTED_MAX, WORKLOADS_LISTED_MAX
from analyzer.report.engine.bounds import AGENTS_LISTED_MAX, USERS_LISTED_MAX
from analyzer.report.engine.rows import Ask
from analyzer.report.engine.sql import query

# How many values are listed, at most.
LISTS: Mapping[str, int] = {
    "hosts": HOSTS_LISTED_MAX,
    "v1_hosts": HOSTS_LISTED_MAX,
    "v1_places": HOSTS_LISTED_MAX,
    "paths": PATHS_LISTED_MAX,
    "users": USERS_LISTED_MAX,
    "user_agents": AGENTS_LISTED_MAX,
    "workloads": WORKLOADS_LISTED_MAX,
}


@dataclass
class Values:
    """The values of one group; lists have the requests with each, the most frequent first."""

    facts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))

    def listed(self, name: str) -> tuple[str, ...]:
        """Return the values of a list."""
        return tuple(value for value, _ in self.lists[name])


def gather_values(ask: Ask) -> Mapping[int, Values]:
    """Return the values by the groups' numbers."""
    found: dict[int, Values] = defaultdict(Values)
    for number, name, value, requests in ask(query("group_values", lists=LISTS)):
        if name in LISTS:
            found[number].lists[name].append((value, int(requests)))
        else:
            found[number].facts[name] = value
    return found
