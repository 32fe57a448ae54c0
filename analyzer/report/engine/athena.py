"""The same questions for Athena: a table over the logs in S3, views, and the queries.

Nothing here is sent anywhere. What an engine keeps in tables is a view here, so that each query
reads the logs anew; Athena charges by what is read.
"""

from __future__ import annotations

import re
from typing import Optional

from analyzer.errors import ConfigError
from analyzer.report.engine import callers, groups, questions
from analyzer.report.engine.columns import ATHENA, FIELDS
from analyzer.report.engine.dialects import translated
from analyzer.report.engine.lines import CELLS, cells, flat_lines
from analyzer.report.engine.sql import MICROSECONDS, fill, listed

DATABASE = "imds"
PLACE = "s3://BUCKET/PREFIX/"
BUCKET_S = 3600
# From 1970 to the last time that all engines can name.
_FROM_US, _TO_US = 0, 253_402_300_800_000_000
_LOCATION = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9!_.*()/=-]*)?", re.ASCII
)

_DATABASE = "CREATE DATABASE IF NOT EXISTS `$database`"
# Each line is one text, taken apart by the view: the SerDes for JSON end a query at a damaged
# line, or leave it out unseen. The log has no control characters, and so no \\001 to split at.
_TABLE = """
CREATE EXTERNAL TABLE IF NOT EXISTS `$database`.`recorded_lines` (`line` string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001'
STORED AS TEXTFILE
LOCATION '$place'
"""

_MICROSECONDS = (
    "CAST(ROUND(TO_UNIXTIME(TRY(FROM_ISO8601_TIMESTAMP_NANOS($text))) * $second) AS BIGINT)"
)
_RECORDS = """
CREATE OR REPLACE VIEW "$database"."records" AS
SELECT $fields, file,
  $at AS at_us,
  $started AS started_us
FROM (
  SELECT $column AS file, TRY(CAST(JSON_PARSE(line) AS $type)) AS whole
  FROM "$database"."recorded_lines" WHERE TRIM(line) <> ''
) AS lines
"""
_REMARK = """\
-- Send these one by one, in this order, with imds as the database from the third on.
-- The table and the views are made once; a query reads all that is there by then."""
_VIEW = 'CREATE OR REPLACE VIEW "$database"."$name" AS\n$query'

QUESTIONS = (
    ("callers, what matters most first", questions.GROUPS),
    ("their calls by version, reason and outcome", questions.TALLIES),
    ("the failed token requests before their calls", questions.FAILURES),
    ("the paths they ask for", questions.PATHS),
    ("the hosts they call from", questions.HOSTS_OF_GROUPS),
    ("hosts, with their calls by version", questions.HOSTS),
    ("when the analyzer was running", questions.COVERED),
    ("what it has lost", questions.LOSSES),
    ("boots", questions.BOOTS),
    ("calls over time", questions.TIMELINE),
    ("files with damaged lines", questions.DAMAGED_FILES),
)


def statements(location: Optional[str]) -> str:
    """Return all statements, each ended by a semicolon. Raises AnalyzerError."""
    place = PLACE if location is None else _checked(location)
    parts = [
        _REMARK,
        fill(_DATABASE, database=DATABASE),
        fill(_TABLE, database=DATABASE, place=place),
        fill(
            _RECORDS,
            database=DATABASE,
            fields=listed(FIELDS, 'whole."%s"'),
            type=ATHENA.write(FIELDS),
            column='"$path"',
            at=_microseconds('whole."timestamp"'),
            started=_microseconds('whole."process"."start"'),
        ),
    ]
    parts += [
        fill(_VIEW, database=DATABASE, name=name, query=translated(query, "athena"))
        for name, query in (
            ("sums", cells(flat_lines("records"), _FROM_US, _TO_US)),
            ("cells", CELLS),
            *callers.STEPS,
            *groups.steps(),
        )
    ]
    parts.append("-- The questions.")
    window = {"since": _FROM_US, "until": _TO_US, "bucket": BUCKET_S * MICROSECONDS}
    parts += [
        f"-- {title}\n{translated(fill(query, **window), 'athena')}" for title, query in QUESTIONS
    ]
    return "\n\n".join(each if _is_remark(each) else f"{each.strip()};" for each in parts) + "\n"


def _is_remark(part: str) -> bool:
    return all(line.startswith("-- ") for line in part.splitlines())


def _checked(location: str) -> str:
    if not _LOCATION.fullmatch(location):
        raise ConfigError(
            f"--location {location!r} is no place in S3: write s3://BUCKET/PREFIX/, the directory"
            " with the logs"
        )
    return location if location.endswith("/") else f"{location}/"


def _microseconds(text: str) -> str:
    return fill(_MICROSECONDS, text=text, second=MICROSECONDS)
