{# A host whose lines have no boot id, and the first time in which two analyzers wrote them: one wrote
   a heartbeat, a start or a stop while an interval of another was under way. Captures of one host may
   be of one time, so that they do not count. #}
SELECT host, min(start_us) AS start_us, min_by(before_us, start_us) AS end_us FROM (
  SELECT *, mark_us - CAST(round(interval_s * {{ MICROSECONDS }}) AS BIGINT) AS start_us FROM (
    SELECT host, event, mark_us, interval_s, lag(mark_us) OVER (
      PARTITION BY host, probe ORDER BY mark_us, event, interval_s) AS before_us
    FROM call_counts
    WHERE NOT is_by_minute AND is_ours AND boot = '' AND probe <> {{ CAPTURE_PROBE | quoted }}
      AND event IN ('heartbeat', 'analyzer_started', 'analyzer_stopped')
  ) AS marks WHERE event = 'heartbeat'
) AS beats WHERE before_us > start_us + {{ GAP_US }} GROUP BY host ORDER BY host
