{# A row: the requests that heartbeats and ends of runs counted on a day. Only whole intervals count:
   those whose beginning is another heartbeat or the start. The end of a run counts what its
   heartbeats have not; where these are not all there, `is_run` says that it counts all of the run.
   Lines that were not written are said to be lost elsewhere. A line that is there twice, as shippers
   may deliver it, counts once. #}
{% set of_run = "host, boot, probe, run" %}
WITH marks AS (
  SELECT host, boot, probe, event, mark_us, interval_s, uptime_s, not_written,
    counted_v1, counted_v2, counted_unknown,
    lag(mark_us) OVER (PARTITION BY host, boot, probe ORDER BY mark_us, event) AS before_us,
    lag(event) OVER (PARTITION BY host, boot, probe ORDER BY mark_us, event) AS before_event,
    sum(CASE WHEN event = 'analyzer_started' THEN 1 ELSE 0 END) OVER (
      PARTITION BY host, boot, probe ORDER BY mark_us, event
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
  FROM call_counts
  WHERE NOT is_by_minute AND is_ours AND mark_us <= {{ until }}
    AND event NOT IN ('events_lost', 'capture_read')
), beats AS (
  SELECT *, mark_us - CAST(round(interval_s * {{ MICROSECONDS }}) AS BIGINT) AS start_us FROM marks
  WHERE event = 'heartbeat' AND counted_v1 IS NOT NULL AND counted_v2 IS NOT NULL
    AND counted_unknown IS NOT NULL
), runs AS (
  SELECT {{ of_run }}, sum(interval_s) AS beaten_s, max(mark_us) AS last_us,
    sum(not_written) AS not_written,
    sum(counted_v1) AS v1, sum(counted_v2) AS v2, sum(counted_unknown) AS unknown
  FROM beats GROUP BY {{ of_run }}
), starts AS (
  SELECT {{ of_run }}, min(mark_us) AS started_us FROM marks WHERE event = 'analyzer_started'
  GROUP BY {{ of_run }}
), ends AS (
  SELECT marks.host, marks.boot, marks.probe, marks.mark_us,
    marks.mark_us - CAST(round(marks.uptime_s * {{ MICROSECONDS }}) AS BIGINT) AS start_us,
    marks.not_written, marks.counted_v1, marks.counted_v2, marks.counted_unknown,
    coalesce(runs.v1, 0) AS v1, coalesce(runs.v2, 0) AS v2,
    coalesce(runs.unknown, 0) AS unknown, coalesce(runs.not_written, 0) AS not_written_before,
    runs.last_us, starts.started_us,
    CASE WHEN runs.last_us IS NULL THEN 0 ELSE abs(marks.uptime_s - runs.beaten_s
      - (marks.mark_us - runs.last_us) / {{ MICROSECONDS }}.0) END AS missing_s
  FROM marks LEFT JOIN runs ON runs.host = marks.host AND runs.boot = marks.boot
    AND runs.probe = marks.probe AND runs.run = marks.run
  LEFT JOIN starts ON starts.host = marks.host AND starts.boot = marks.boot
    AND starts.probe = marks.probe AND starts.run = marks.run
  WHERE marks.event = 'analyzer_stopped' AND marks.counted_v1 IS NOT NULL
    AND marks.counted_v2 IS NOT NULL AND marks.counted_unknown IS NOT NULL
), counted AS (
  SELECT host, boot, probe, FALSE AS is_run, start_us, mark_us AS end_us,
    counted_v1 AS v1, counted_v2 AS v2, counted_unknown AS unknown, not_written
  FROM beats
  WHERE abs(start_us - before_us) <= CASE WHEN before_event = 'analyzer_started'
    THEN {{ MINUTE_US }} ELSE {{ GAP_US }} END
  UNION ALL
  SELECT host, boot, probe, FALSE AS is_run, coalesce(last_us, start_us) AS start_us,
    mark_us AS end_us, counted_v1 - v1 AS v1, counted_v2 - v2 AS v2,
    counted_unknown - unknown AS unknown, not_written - not_written_before AS not_written
  FROM ends WHERE missing_s <= 60
    AND (last_us IS NOT NULL OR abs(started_us - start_us) <= {{ MINUTE_US }})
  UNION ALL
  SELECT host, boot, probe, TRUE AS is_run, start_us, mark_us AS end_us,
    counted_v1 AS v1, counted_v2 AS v2, counted_unknown AS unknown, not_written
  FROM ends WHERE missing_s > 60 AND abs(started_us - start_us) <= {{ MINUTE_US }}
)
SELECT host, boot, probe, is_run, (end_us - 1) - (end_us - 1) % {{ DAY_US }} AS day_us,
  min(start_us) AS start_us, max(end_us) AS end_us,
  sum(v1) AS v1, sum(v2) AS v2, sum(unknown) AS unknown, sum(not_written) AS not_written
FROM counted GROUP BY host, boot, probe, is_run, (end_us - 1) - (end_us - 1) % {{ DAY_US }},
  CASE WHEN is_run THEN end_us ELSE 0 END
ORDER BY host, boot, probe, is_run, end_us
