{# When the analyzer was running. A heartbeat covers its interval. What was after the last one, a
   stop tells: as far back as the mark before it, if that is no further than a heartbeat would
   have been. Stretches with no more than a gap between them are one.

   A capture covers the time from its first packet to its last. What was between two files is not
   known, so that the heartbeats of a replay say nothing. #}
{% set interval = "CASE WHEN interval_s BETWEEN 0 AND " ~ INTERVAL_MAX_S
  ~ " THEN interval_s ELSE 0 END" %}
{% set in_order = "PARTITION BY host ORDER BY at_us, event, interval_s" %}
SELECT host, start_us, end_us FROM (
  SELECT *, row_number() OVER (PARTITION BY host ORDER BY start_us DESC) AS place_in_host FROM (
    SELECT host, island, greatest(min(start_us), {{ since }}) AS start_us,
      least(max(end_us), {{ until }}) AS end_us
    FROM (
      SELECT *, sum(CASE WHEN start_us <= reached_us + {{ GAP_US }} THEN 0 ELSE 1 END)
        OVER (PARTITION BY host ORDER BY start_us, end_us
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
      FROM (
        SELECT *, max(end_us) OVER (PARTITION BY host ORDER BY start_us, end_us
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_us
        FROM (
          SELECT host, start_us, end_us FROM (
            SELECT host, at_us AS end_us, CASE event
              WHEN 'capture_read'
                THEN at_us - CAST(round(coalesce(interval_s, 0) * {{ MICROSECONDS }}) AS BIGINT)
              WHEN 'heartbeat'
                THEN at_us - CAST(round({{ interval }} * {{ MICROSECONDS }}) AS BIGINT)
              WHEN 'analyzer_stopped' THEN CASE
                WHEN before_us >= at_us - CAST(round(2 * before_s * {{ MICROSECONDS }}) AS BIGINT)
                  THEN before_us
                WHEN before_event = 'analyzer_started' AND before_us
                  >= at_us - CAST(round((uptime + 5) * {{ MICROSECONDS }}) AS BIGINT)
                  THEN before_us
              END END AS start_us
            FROM (
              SELECT *, lag(at_us) OVER ({{ in_order }}) AS before_us,
                lag(event) OVER ({{ in_order }}) AS before_event,
                lag({{ interval }}) OVER ({{ in_order }}) AS before_s
              FROM (
                SELECT host, event, mark_us AS at_us, interval_s,
                  CASE WHEN uptime_s BETWEEN 0 AND {{ INTERVAL_MAX_S }} THEN uptime_s ELSE 0 END
                    AS uptime
                FROM call_counts
                WHERE NOT is_by_minute AND is_ours AND mark_us IS NOT NULL
                  AND event <> 'events_lost'
                  AND (event = 'capture_read') = (probe = {{ CAPTURE_PROBE | quoted }})
              ) AS marks
            ) AS neighbours
          ) AS spans WHERE end_us > start_us
        ) AS spans
      ) AS reached
    ) AS islands
    GROUP BY host, island
  ) AS merged WHERE end_us > start_us
) AS ranked WHERE place_in_host <= {{ SPANS_MAX }} ORDER BY host, start_us
