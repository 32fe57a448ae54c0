"""What is asked of the groups, the hosts and the minutes; each answer is small."""

from __future__ import annotations

from analyzer.report.engine.groups import KEY_COLUMNS
from analyzer.report.engine.lines import HOST_COLUMNS, PROCESS_COLUMNS, REQUEST_COLUMNS
from analyzer.report.engine.sql import MICROSECONDS, fill, listed
from analyzer.report.findings import HOSTS_LISTED_MAX, PATHS_LISTED_MAX, WORKLOADS_LISTED_MAX

USERS_LISTED_MAX = 10
# Of one host. What is left out is the oldest: stretches of time are then not covered, losses are
# one for each reason.
SPANS_MAX = 1000
LOSSES_MAX = 200
BOOTS_MAX = 200
# A heartbeat says how long it has been since the last; a second's difference comes from clocks
# that are set while the analyzer runs.
GAP_US = 5 * MICROSECONDS
# The longest interval that can be configured.
INTERVAL_MAX_S = 86_400

# --- groups ----------------------------------------------------------------------------

GROUPS = fill(
    """
SELECT number, $key, min(first_us) AS first_seen_us, max(last_us) AS last_seen_us,
  max(CASE WHEN version = 'v1' THEN last_us END) AS last_v1_us,
  sum(CASE WHEN forwarded THEN lines ELSE 0 END) AS forwarded_requests,
  count(DISTINCT host) AS host_count,
  count(DISTINCT nullif(CASE WHEN workload <> '' THEN workload ELSE container END, ''))
    AS workload_count
FROM members GROUP BY number, $key ORDER BY number
""",
    key=listed(KEY_COLUMNS),
)

TALLIES = """
SELECT number, version, reason, outcome, operation, sum(lines) AS requests
FROM members GROUP BY number, version, reason, outcome, operation
ORDER BY number, requests DESC, version, reason, outcome, operation
"""

DAYS = """
SELECT number, day_us, max(CASE WHEN version = 'v1' THEN 1 ELSE 0 END)
FROM members GROUP BY number, day_us ORDER BY number, day_us
"""

FAILURES = """
SELECT number, token_outcome, sum(lines) AS requests
FROM members WHERE version = 'v1' AND token_outcome <> ''
GROUP BY number, token_outcome ORDER BY number, token_outcome
"""


HOP_LIMITS = """
SELECT number, hop_limit, sum(lines) AS requests FROM members WHERE hop_limit > 0
GROUP BY number, hop_limit ORDER BY number, hop_limit
"""


def _most_frequent(value: str, limit: int, condition: str = "") -> str:
    return fill(
        """
SELECT number, value, requests FROM (
  SELECT number, value, requests,
    row_number() OVER (PARTITION BY number ORDER BY requests DESC, value) AS place_in_group
  FROM (
    SELECT number, $value AS value, sum(lines) AS requests
    FROM members $condition GROUP BY number, $value
  ) AS counted WHERE value <> ''
) AS ranked WHERE place_in_group <= $limit
ORDER BY number, requests DESC, value
""",
        value=value,
        limit=limit,
        condition=condition,
    )


HOSTS_OF_GROUPS = _most_frequent("host", HOSTS_LISTED_MAX)
V1_HOSTS = _most_frequent("host", HOSTS_LISTED_MAX, "WHERE version = 'v1'")
PATHS = _most_frequent("path", PATHS_LISTED_MAX)
USERS = _most_frequent("account", USERS_LISTED_MAX)
WORKLOADS = _most_frequent(
    "CASE WHEN workload <> '' THEN workload ELSE container END", WORKLOADS_LISTED_MAX
)

# The cell that holds a group's example: the worst version's last one. What else a cell is known
# by decides where two are as late. Of a folded line, the cell has another operation or outcome.
_CELL = (
    *(
        name
        for name in HOST_COLUMNS + REQUEST_COLUMNS
        if name not in (*PROCESS_COLUMNS, "operation", "outcome")
    ),
    "process",
    "tree",
)

EXAMPLES = fill(
    """
SELECT number, last_us AS at_us, $columns FROM (
  SELECT *, row_number() OVER (PARTITION BY number ORDER BY
    CASE version WHEN 'v1' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END, last_us DESC, $columns
  ) AS place_in_group
  FROM members
) AS ranked WHERE place_in_group = 1
""",
    columns=listed(_CELL),
)

EXAMPLE_LINES = fill(
    """
SELECT examples.number, min(lines.line)
FROM examples JOIN ($lines) AS lines ON $same
GROUP BY examples.number ORDER BY examples.number
""",
    lines="$lines",
    same=" AND ".join(f"examples.{name} = lines.{name}" for name in ("at_us", *_CELL)),
)

# --- hosts -----------------------------------------------------------------------------

HOSTS = """
SELECT host, nullif(max(instance), '') AS instance_id,
  sum(CASE WHEN is_request AND provider = 'aws' AND version = 'v1' THEN lines ELSE 0 END)
    AS v1_requests,
  sum(CASE WHEN is_request AND provider = 'aws' AND version = 'v2' THEN lines ELSE 0 END)
    AS v2_requests,
  sum(CASE WHEN is_request AND provider = 'aws' AND version = 'unknown' THEN lines ELSE 0 END)
    AS unknown_requests,
  sum(CASE WHEN is_request AND provider <> 'aws' THEN lines ELSE 0 END) AS other_clouds,
  min(first_us) AS first_seen_us, max(last_us) AS last_seen_us,
  max(CASE WHEN is_request AND provider = 'aws' AND version = 'v1' THEN last_us END) AS last_v1_us,
  max(CASE WHEN is_request AND provider = 'aws' AND version = 'unknown' THEN last_us END)
    AS last_unknown_us
FROM (
  SELECT *, event = 'imds_request' AS is_request FROM cells
  WHERE is_cell AND is_ours AND (mark_us IS NULL OR (mark_us >= $since AND mark_us < $until))
) AS own
GROUP BY host ORDER BY host
"""

# Of the latest day, as it can be set anew; the most, as there may be processes with a network of
# their own that is no container's. Who is known by an address alone may be a guest.
HOST_HOP_LIMITS = """
SELECT host, hop_limit FROM (
  SELECT host, day_us, max(hop_limit) AS hop_limit,
    row_number() OVER (PARTITION BY host ORDER BY day_us DESC) AS place_in_host
  FROM cells
  WHERE is_cell AND is_ours AND hop_limit > 0 AND container = '' AND runtime = ''
    AND orchestrator = '' AND account <> ''
  GROUP BY host, day_us
) AS days WHERE place_in_host = 1 ORDER BY host
"""

PROBES = """
SELECT DISTINCT host, probe FROM cells WHERE is_cell AND is_ours AND probe <> ''
ORDER BY host, probe
"""

BOOTS = fill(
    """
SELECT host, booted_us FROM (
  SELECT host, booted_us,
    row_number() OVER (PARTITION BY host ORDER BY booted_us DESC, boot) AS place_in_host
  FROM (
    SELECT host, boot, min(first_us) AS booted_us FROM cells
    WHERE is_cell AND is_ours AND boot <> '' GROUP BY host, boot
  ) AS boots
) AS ranked WHERE place_in_host <= $most ORDER BY host, booted_us
""",
    most=BOOTS_MAX,
)

# A tool that a timer or a person starts is no deployment.
DEPLOYMENTS = """
SELECT host, max(started_us) FROM members
WHERE NOT is_tool AND key_unit NOT LIKE 'session-%' AND key_unit NOT LIKE 'run-%'
GROUP BY host ORDER BY host
"""

# A heartbeat covers its interval. What was after the last one, a stop tells: as far back as the
# mark before it, if that is no further than a heartbeat would have been.
_SPANS = """
SELECT host, start_us, end_us FROM (
  SELECT host, at_us AS end_us, CASE event
    WHEN 'heartbeat' THEN at_us - CAST(round($interval * $second) AS BIGINT)
    WHEN 'analyzer_stopped' THEN CASE
      WHEN before_us >= at_us - CAST(round(2 * before_s * $second) AS BIGINT) THEN before_us
      WHEN before_event = 'analyzer_started'
        AND before_us >= at_us - CAST(round((uptime + 5) * $second) AS BIGINT) THEN before_us
    END END AS start_us
  FROM (
    SELECT *,
      lag(at_us) OVER (PARTITION BY host ORDER BY at_us, event, interval_s) AS before_us,
      lag(event) OVER (PARTITION BY host ORDER BY at_us, event, interval_s) AS before_event,
      lag($interval) OVER (PARTITION BY host ORDER BY at_us, event, interval_s) AS before_s
    FROM (
      SELECT host, event, mark_us AS at_us, interval_s,
        CASE WHEN uptime_s BETWEEN 0 AND $interval_max THEN uptime_s ELSE 0 END AS uptime
      FROM cells WHERE is_cell AND is_ours AND mark_us IS NOT NULL AND event <> 'events_lost'
    ) AS marks
  ) AS neighbours
) AS spans
WHERE end_us > start_us
"""

COVERED = fill(
    """
SELECT host, start_us, end_us FROM (
  SELECT *, row_number() OVER (PARTITION BY host ORDER BY start_us DESC) AS place_in_host FROM (
    SELECT host, island, greatest(min(start_us), $since) AS start_us,
      least(max(end_us), $until) AS end_us
    FROM (
      SELECT *, sum(CASE WHEN start_us <= reached_us + $gap THEN 0 ELSE 1 END)
        OVER (PARTITION BY host ORDER BY start_us, end_us
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
      FROM (
        SELECT *, max(end_us) OVER (PARTITION BY host ORDER BY start_us, end_us
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_us
        FROM ($spans) AS spans
      ) AS reached
    ) AS islands
    GROUP BY host, island
  ) AS merged WHERE end_us > start_us
) AS ranked WHERE place_in_host <= $most ORDER BY host, start_us
""",
    since="$since",
    until="$until",
    gap=GAP_US,
    most=SPANS_MAX,
    spans=fill(
        _SPANS,
        second=MICROSECONDS,
        interval=f"CASE WHEN interval_s BETWEEN 0 AND {INTERVAL_MAX_S} THEN interval_s ELSE 0 END",
        interval_max=INTERVAL_MAX_S,
    ),
)

# Lines that were not written are told twice: by a line of their own when writing goes on, and
# by the next heartbeat. Either may be missing, so that of a host the larger sum holds.
LOSSES = fill(
    """
WITH told AS (
  SELECT host, mark_us AS at_us, event,
    CASE WHEN event = 'heartbeat' THEN 'log_not_written' ELSE coalesce(lost_reason, '') END
      AS reason,
    CASE WHEN event = 'heartbeat' OR lost_reason = 'log_not_written' THEN lines * not_written
      ELSE lines * coalesce(lost, 0) END AS lost
  FROM cells
  WHERE is_cell AND is_ours AND mark_us >= $since AND mark_us < $until
    AND (event = 'events_lost' OR (event = 'heartbeat' AND not_written > 0))
), judged AS (
  SELECT told.* FROM told LEFT JOIN (
    SELECT host, sum(CASE WHEN event = 'heartbeat' THEN lost ELSE 0 END)
      > sum(CASE WHEN event = 'heartbeat' THEN 0 ELSE lost END) AS heartbeats_hold
    FROM told WHERE reason = 'log_not_written' GROUP BY host
  ) AS sums ON sums.host = told.host
  WHERE told.reason <> 'log_not_written' OR (told.event = 'heartbeat') = sums.heartbeats_hold
), ranked AS (
  SELECT *, row_number() OVER (
    PARTITION BY host ORDER BY at_us DESC, reason, lost) AS place_in_host
  FROM judged WHERE lost > 0
)
SELECT host, max(at_us) AS at_us, reason, sum(lost) AS lost
FROM ranked
GROUP BY host, reason, CASE WHEN place_in_host <= $most THEN place_in_host ELSE 0 END
ORDER BY host, at_us, reason, lost
""",
    since="$since",
    until="$until",
    most=LOSSES_MAX,
)

# --- all -------------------------------------------------------------------------------

TOTALS = """
SELECT
  sum(CASE WHEN is_ours AND (mark_us IS NULL OR (mark_us >= $since AND mark_us < $until))
    THEN lines ELSE 0 END),
  sum(CASE WHEN is_ours THEN 0 ELSE lines END)
FROM sums WHERE is_cell
"""

DAMAGED_FILES = """
SELECT damaged_file, sum(lines) AS damaged_lines FROM cells WHERE is_cell AND NOT is_ours
GROUP BY damaged_file ORDER BY damaged_file
"""

TIMELINE = """
SELECT minute_us - minute_us % $bucket AS start_us, version, outcome, sum(lines) AS requests
FROM cells
WHERE NOT is_cell AND is_ours AND event = 'imds_request' AND provider = 'aws'
GROUP BY minute_us - minute_us % $bucket, version, outcome
ORDER BY start_us, version, outcome
"""
