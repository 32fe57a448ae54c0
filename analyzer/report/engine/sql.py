"""What queries are put together with. Their dialect is DuckDB's; ``dialects`` has others."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

# What stands between a process's name, executable and arguments, and between its ancestors.
UNIT, RECORD = "chr(31)", "chr(30)"

MICROSECONDS = 1_000_000


def fill(query: str, /, **parts: object) -> str:
    """Put parts into a query; raises KeyError for one that is missing."""
    return Template(query).substitute({name: str(part) for name, part in parts.items()})


def quoted(text: str) -> str:
    """Write a text literal."""
    return "'" + text.replace("'", "''") + "'"


def listed(names: Iterable[str], form: str = "%s") -> str:
    """Write names with commas between, each in a form."""
    return ", ".join(form.replace("%s", name) for name in names)


def without_runs(column: str, runs: Iterable[tuple[str, str]]) -> str:
    """Write the expression that leaves out of a text what differs from run to run."""
    for pattern, place in runs:
        column = f"regexp_replace({column}, {quoted(pattern)}, {quoted(place)}, 'g')"
    return column


def matches(column: str, pattern: str) -> str:
    """Write the condition that a text has a part that matches."""
    return f"regexp_matches({column}, {quoted(pattern)})"
