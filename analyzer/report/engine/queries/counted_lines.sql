{# A row: an interval in which a heartbeat, or the end of a run, counted requests of one version, with
   the requests so far, and the lines that there are for them; see missing_lines.sql.

   Only whole intervals count: those whose beginning is another heartbeat or the start. The end of a
   run counts what its heartbeats have not; where these are not all there, `is_run` says that it
   counts all of the run. Lines that were not written are said to be lost elsewhere. A line that is
   there twice, as shippers may deliver it, counts once. If all of these are there twice, the log is,
   so that there are twice as many lines to be. #}
{% set of_run = "host, boot, probe, run" %}
{% set so_far = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW" %}
{% set hour_us = 60 * MINUTE_US %}
{# The last slice that begins before a time; none begins before 0. #}
{% macro slot(time) -%}
CASE WHEN {{ time }} < 1 THEN -1
      ELSE {{ time }} - 1 - ({{ time }} - 1) % {{ slice_us }} END
{%- endmacro %}
WITH marks AS (
  SELECT host, boot, probe, event, mark_us, interval_s, uptime_s, not_written, lines,
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
{% if has_stops %}
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
{% endif %}
), counted AS (
  SELECT host, boot, probe, FALSE AS is_run, start_us, mark_us AS end_us,
    counted_v1 AS v1, counted_v2 AS v2, counted_unknown AS unknown, not_written
  FROM beats
  WHERE abs(start_us - before_us) <= CASE WHEN before_event = 'analyzer_started'
    THEN {{ MINUTE_US }} ELSE {{ GAP_US }} END
{% if has_stops %}
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
{% endif %}
), copies AS (
  SELECT host, boot, probe, min(lines) AS copies FROM marks GROUP BY host, boot, probe
), spans AS (
{% for version in versions %}
  SELECT counted.host, counted.boot, counted.probe, '{{ version }}' AS version, counted.is_run,
    counted.start_us, counted.end_us,
    copies.copies * (counted.{{ version }} - counted.not_written) AS counted
  FROM counted JOIN copies ON copies.host = counted.host AND copies.boot = counted.boot
    AND copies.probe = counted.probe
  WHERE counted.{{ version }} > counted.not_written{{ " UNION ALL" if not loop.last }}
{% endfor %}
), writers AS (
{# Numbers for what there are many rows of. #}
  SELECT *, row_number() OVER (ORDER BY host, boot, probe, version) AS writer
  FROM (SELECT DISTINCT host, boot, probe, version FROM spans) AS different
), intervals AS (
  SELECT *, row_number() OVER (ORDER BY writer, is_run, end_us, start_us, counted) AS number,
    {{ slot("greatest(start_us, end_us)") }} AS opened_us,
    {{ slot("least(start_us, end_us) - " ~ (slice_us + COUNTED_LATE_US - 1)) }} AS closed_us
  FROM (
    SELECT DISTINCT writers.*, spans.is_run, spans.start_us, spans.end_us, spans.counted
    FROM spans JOIN writers ON writers.host = spans.host AND writers.boot = spans.boot
      AND writers.probe = spans.probe AND writers.version = spans.version
  ) AS different
), lined AS (
{# How many lines there are up to each slice that an interval asks for. #}
  SELECT writer, slice_us,
    sum(requests) OVER (PARTITION BY writer ORDER BY slice_us {{ so_far }}) AS so_far
  FROM (
    SELECT writer, slice_us, sum(requests) AS requests FROM (
      SELECT writers.writer, slice_counts.slice_us,
        CAST(slice_counts.requests AS DOUBLE) AS requests
      FROM slice_counts JOIN writers ON writers.host = slice_counts.host
        AND writers.boot = slice_counts.boot AND writers.probe = slice_counts.probe
        AND writers.version = slice_counts.version
      UNION ALL SELECT writer, opened_us AS slice_us, 0 AS requests FROM intervals
      UNION ALL SELECT writer, closed_us AS slice_us, 0 AS requests FROM intervals
    ) AS slices GROUP BY writer, slice_us
  ) AS different
)
{# Lines that may have been counted by its end, and lines that were counted before its start. All
   are there: outer joins only keep the order of joins, as two of one writer's slices are many. #}
SELECT intervals.*, opened.so_far AS opened, closed.so_far AS closed,
  (intervals.end_us - 1) - (intervals.end_us - 1) % {{ hour_us }} AS hour_us,
  sum(intervals.counted) OVER (PARTITION BY intervals.writer, intervals.is_run
    ORDER BY intervals.number {{ so_far }}) AS counted_so_far
FROM intervals
LEFT JOIN lined AS opened
  ON opened.writer = intervals.writer AND opened.slice_us = intervals.opened_us
LEFT JOIN lined AS closed
  ON closed.writer = intervals.writer AND closed.slice_us = intervals.closed_us
