"""From nested lines to flat ones, and those added up: the one pass over all of the input.

A caller that nobody knows, as packets tell it, is named by the address that it calls from.

``records`` is what an engine makes of its files: ``file`` (a number), ``at_us`` and ``started_us``
(microseconds since the Unix epoch of ``timestamp`` and ``process.start``, null where that is no
time) and the fields of :data:`analyzer.report.engine.columns.FIELDS`.
"""

from __future__ import annotations

from analyzer.logline.events import HEARTBEAT, LOST, STARTED, STOPPED
from analyzer.logline.fields import VERSIONS
from analyzer.report.engine import numbers
from analyzer.report.engine.sql import RECORD, UNIT, fill, listed, quoted
from analyzer.report.findings import CAPTURE_HOST, CAPTURE_PROBE

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
# Lines about the analyzer itself that say when it was running, or what it has lost.
MARKS = (HEARTBEAT, STARTED, STOPPED, LOST)

# What all lines of one cell have in common. Text that a line lacks is empty.
PROCESS_COLUMNS = ("name", "executable", "args", "ancestors")
REQUEST_COLUMNS = (
    "version",
    "reason",
    "outcome",
    "operation",
    "provider",
    "repeated",
    "forwarded",
    "token_outcome",
    "path",
    "agent",
    *PROCESS_COLUMNS,
    "account",
    "container",
    "runtime",
    "orchestrator",
    "workload",
    "unit",
    "hop_limit",
)
HOST_COLUMNS = ("event", "host", "boot", "instance", "probe", "day_us")
MARK_COLUMNS = ("mark_us", "interval_s", "uptime_s", "lost", "lost_reason", "not_written")
CELL_COLUMNS = ("is_ours", "damaged_file", *HOST_COLUMNS, *REQUEST_COLUMNS, *MARK_COLUMNS)
MINUTE_COLUMNS = ("is_ours", "minute_us", "event", "provider", "version", "outcome", "repeated")

_FLAT = """
SELECT $kept file, at_us,
  event,
  coalesce(host.name, CASE WHEN observer.probe = $pcap THEN $capture END, '') AS host,
  coalesce(host.boot_id, '') AS boot,
  coalesce(cloud.instance.id, '') AS instance,
  coalesce(observer.probe, '') AS probe,
  coalesce(imds.version, '') AS version,
  coalesce(imds.reason, '') AS reason,
  coalesce(imds.outcome, '') AS outcome,
  coalesce(imds.operation, '') AS operation,
  coalesce(imds.provider, '') AS provider,
  coalesce(array_to_string(list_transform(imds.repeated, lambda each: $count), $record), '')
    AS repeated,
  coalesce(imds.forwarded, FALSE) AS forwarded,
  coalesce(imds.token_request.outcome, '') AS token_outcome,
  coalesce(url.path, '') AS path,
  coalesce(user_agent.original, '') AS agent,
  coalesce(process.name, CASE WHEN process.executable IS NULL AND process."user".id IS NULL
    THEN '(from ' || source.ip || ')' END) AS name,
  process.executable, process.args, process.ancestors,
  coalesce(process."user".name, process."user".id, '') AS account,
  coalesce(container.id, '') AS container,
  coalesce(container.runtime, '') AS runtime,
  coalesce(orchestrator."type", '') AS orchestrator,
  coalesce(orchestrator.resource.id, '') AS workload,
  coalesce(service.name, '') AS unit,
  CASE WHEN imds.outcome = 'success' AND imds.reason = 'token_request'
    AND imds.hop_limit BETWEEN 1 AND 255 THEN imds.hop_limit ELSE 0 END AS hop_limit,
  at_us - at_us % $day AS day_us,
  at_us - at_us % $minute AS minute_us,
  CASE WHEN event IN ($marks) THEN at_us END AS mark_us,
  CASE WHEN event = 'heartbeat' THEN $interval END AS interval_s,
  CASE WHEN event = 'analyzer_stopped' THEN $uptime END AS uptime_s,
  CASE WHEN event = 'events_lost' THEN $lost END AS lost,
  CASE WHEN event = 'events_lost' THEN reason END AS lost_reason,
  CASE WHEN event IN ('heartbeat', 'events_lost') THEN $not_written END AS not_written,
  $are_right AS has_numbers,
  CASE WHEN service.name IS NOT NULL OR container.id IS NOT NULL THEN started_us END AS started_us
FROM $records
"""

# A line is the analyzer's own when it has all that none of its lines is without.
_JUDGED = """
SELECT *, coalesce(at_us >= 0 AND event <> '' AND host <> '' AND (event <> 'imds_request' OR (
  version IN ('v1', 'v2', 'unknown') AND reason <> '' AND operation <> '' AND provider <> ''
)) AND has_numbers, FALSE) AS is_ours
FROM ($flat) AS flat
"""

# A count as one text. In a line that is the analyzer's own each can be right.
_COUNT = """replace(coalesce(each.version, ''), $unit, '?') || $unit
  || replace(coalesce(each.operation, ''), $unit, '?') || $unit
  || replace(coalesce(nullif(each.outcome, 'unknown'), ''), $unit, '?') || $unit
  || CAST(coalesce(CAST($count AS BIGINT), 1) AS VARCHAR)"""
# Kinds in one folded line: 6 operations with 6 outcomes, and some more.
KINDS_MAX = 64

_CELLS = """
SELECT $columns, minute_us, grouping(minute_us) = 1 AS is_cell,
  count(*) AS lines, min(at_us) AS first_us, max(at_us) AS last_us, max(started_us) AS started_us
FROM (
  SELECT *, CASE WHEN NOT is_ours THEN file END AS damaged_file FROM ($lines) AS lines
  WHERE NOT is_ours OR mark_us IS NOT NULL OR (at_us >= $since AND at_us < $until)
) AS lines
GROUP BY GROUPING SETS (($columns), ($minutes))
"""


# A folded line stands for calls of several operations and outcomes: each is counted as a line.
_OF_ALL_CALLS = """
SELECT $kept, version, operation, outcome, lines FROM sums WHERE NOT ($is_folded)
UNION ALL
SELECT $kept, split_part(counted, $unit, 1) AS version, split_part(counted, $unit, 2) AS operation,
  split_part(counted, $unit, 3) AS outcome,
  lines * CAST(split_part(counted, $unit, 4) AS BIGINT) AS lines
FROM (
  SELECT sums.*, split_part(repeated, $record, number) AS counted
  FROM sums CROSS JOIN (VALUES $numbers) AS numbers(number)
  WHERE $is_folded AND split_part(repeated, $record, number) <> ''
) AS counts
"""


def flat_lines(records: str, *, kept: str = "") -> str:
    """Return the query for flat lines; ``kept`` is a further column to pass through."""
    count = fill(_COUNT, unit=UNIT, count=numbers.calls("each.count"))
    flat = fill(
        _FLAT,
        kept=f"{kept}," if kept else "",
        day=DAY_US,
        minute=MINUTE_US,
        marks=listed(MARKS, "'%s'"),
        pcap=quoted(CAPTURE_PROBE),
        capture=quoted(CAPTURE_HOST),
        interval=numbers.seconds("interval_s"),
        uptime=numbers.seconds("uptime_s"),
        lost=numbers.count("count"),
        not_written=" + ".join(
            f"coalesce({numbers.count(f'not_written.{version}')}, 0)" for version in VERSIONS
        ),
        are_right=numbers.are_right(),
        records=records,
        count=f"replace({count}, {RECORD}, '?')",
        record=RECORD,
    )
    return fill(_JUDGED, flat=flat)


def cells(lines: str, since_us: int, until_us: int) -> str:
    """Return the query that adds up lines: rows of cells (``is_cell``), and such of minutes.

    It is kept as ``sums``; :data:`CELLS` makes ``cells`` of it, in which calls are counted.

    Requests and other lines count from ``since_us`` to before ``until_us``. Marks count always:
    one behind the end says what was before it.
    """
    return fill(
        _CELLS,
        lines=lines,
        since=since_us,
        until=until_us,
        columns=listed(CELL_COLUMNS),
        minutes=listed(MINUTE_COLUMNS),
    )


CELLS = fill(
    _OF_ALL_CALLS,
    kept=listed(
        (
            *(name for name in CELL_COLUMNS if name not in ("version", "operation", "outcome")),
            *("minute_us", "is_cell", "first_us", "last_us", "started_us"),
        )
    ),
    is_folded="repeated <> '' AND is_ours AND event = 'imds_request'",
    unit=UNIT,
    record=RECORD,
    numbers=", ".join(f"({number})" for number in range(1, KINDS_MAX + 1)),
)
