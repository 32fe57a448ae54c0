"""Builds the same queries for Athena: a table over the logs in S3, views, and the queries.

Nothing here is sent anywhere. What an engine keeps in tables is a view here, so that each query
reads the logs anew; Athena charges by what is read.
"""

from __future__ import annotations

import re
from typing import Optional

from analyzer.errors import ConfigError
from analyzer.logline.fields import VERSIONS
from analyzer.report.callers import GROUPS_MAX
from analyzer.report.engine.bounds import MICROSECONDS, MINUTE_US
from analyzer.report.engine.columns import ATHENA, FIELDS
from analyzer.report.engine.sql import TABLES, query, translated
from analyzer.report.engine.values import LISTS

DATABASE = "imds"
PLACE = "s3://BUCKET/PREFIX/"
BUCKET_S = 3600
# From 1970 to the last time that all engines can name.
_WINDOW: dict[str, object] = {"since": 0, "until": 253_402_300_800_000_000}
_LOCATION = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9!_.*()/=-]*)?", re.ASCII
)
# Title -> the query's name, and what it is filled with besides the window.
_QUESTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "callers, what matters most first": ("groups", {}),
    "who they are, and what they ask for": (
        "group_values",
        {"lists": LISTS},
    ),
    "their calls by version, reason and outcome": ("tallies", {}),
    "the failed token requests before their calls": ("token_failures", {}),
    "what was read of their code": ("evidence_texts", {}),
    "and on which hosts": ("evidence_hosts", {}),
    "their calls by what became of token requests on their hosts": ("v1_by_asked", {}),
    "hosts, with their calls by version": ("hosts", {"has_sightings": True}),
    "when the analyzer was running": ("covered", _WINDOW),
    "what it has lost": ("losses", _WINDOW),
    "requests that were counted and have no line": ("missing_lines", {}),
    "boots": ("boots", {}),
    "callers of IMDSv1 on each host": ("sighting_numbers", {}),
    "when these called": ("sighting_days", {}),
    "calls over time": ("timeline", {"bucket_us": BUCKET_S * MICROSECONDS}),
    "files with damaged lines": ("damaged_files", {}),
}


def statements(location: Optional[str]) -> str:
    """Return all statements, each ended by a semicolon. Raises AnalyzerError."""
    tables: dict[str, dict[str, object]] = {
        "line_counts": {
            "records": "records",
            "kept": "",
            "by_host": False,
            "slice_us": MINUTE_US,
            **_WINDOW,
        },
        "call_counts": {"has_folded": True},
        "slice_counts": {"has_folded": True},
        "counted_lines": {
            "slice_us": MINUTE_US,
            "until": _WINDOW["until"],
            "versions": VERSIONS,
            "has_stops": True,
        },
        "caller_numbers": {"groups_max": GROUPS_MAX},
    }
    views = {name: query(name, **tables.get(name, {})) for name in TABLES}
    questions = {title: query(name, **parts) for title, (name, parts) in _QUESTIONS.items()}
    return query(
        "athena",
        database=DATABASE,
        place=PLACE if location is None else _checked(location),
        fields=FIELDS,
        type=ATHENA.write(FIELDS),
        views={name: translated(each, "athena") for name, each in views.items()},
        questions={title: translated(each, "athena") for title, each in questions.items()},
    )


def _checked(location: str) -> str:
    if not _LOCATION.fullmatch(location):
        raise ConfigError(
            f"--location {location!r} is not an S3 location: write s3://BUCKET/PREFIX/, the"
            " directory with the logs"
        )
    return location if location.endswith("/") else f"{location}/"
