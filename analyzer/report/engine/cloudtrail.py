"""Builds the query for uses of credentials from IMDSv1: for Athena, over a trail's logs in S3.

The table is CloudTrail's, with partition projection:
https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Optional

from analyzer.errors import ConfigError
from analyzer.report.engine.athena import DATABASE
from analyzer.report.engine.sql import query, translated

TABLE = "cloudtrail_logs"
PLACE = "s3://BUCKET/AWSLogs/"
_LOCATION = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9!_.*()/=-]*)?", re.ASCII
)


def question(table: str, since: datetime.datetime, until: datetime.datetime, **parts: str) -> str:
    """Return the query in DuckDB's SQL. ``since_day`` bounds the partitions."""
    return query(
        "cloudtrail_uses",
        trail=table,
        since=_time(since),
        until=_time(until),
        since_day=parts.get("since_day"),
    )


def statements(
    location: Optional[str],
    accounts: Sequence[str],
    regions: Sequence[str],
    since: datetime.datetime,
    until: datetime.datetime,
) -> str:
    """Return table and query for Athena; what is not given is left to fill in.

    Raises ConfigError for a location that is none.
    """
    since_day = since.astimezone(datetime.timezone.utc).strftime("%Y/%m/%d")
    asked = question(f"{DATABASE}.{TABLE}", since, until, since_day=since_day)
    return query(
        "cloudtrail",
        database=DATABASE,
        table=TABLE,
        place=PLACE if location is None else _checked(location),
        accounts=accounts or ("ACCOUNT",),
        regions=regions or ("REGION",),
        since_day=since_day,
        question=translated(asked, "athena"),
    )


def _checked(location: str) -> str:
    if not _LOCATION.fullmatch(location):
        raise ConfigError(
            f"--location {location!r} is not an S3 location: write s3://BUCKET/AWSLogs/, the"
            " directory with a folder for each account. An organization's trail has its id after"
            " AWSLogs"
        )
    return location if location.endswith("/") else f"{location}/"


def _time(at: datetime.datetime) -> str:
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
