{# Lines that were not written are told twice: by a line of their own when writing goes on, and by
   the next heartbeat. Either may be missing, so that of a host the larger sum holds. #}
WITH told AS (
  SELECT host, mark_us AS at_us, event,
    CASE WHEN event = 'heartbeat' THEN 'log_not_written' ELSE coalesce(lost_reason, '') END
      AS reason,
    CASE WHEN event = 'heartbeat' OR lost_reason = 'log_not_written' THEN lines * not_written
      ELSE lines * coalesce(lost, 0) END AS lost
  FROM call_counts
  WHERE NOT is_by_minute AND is_ours AND mark_us >= {{ since }} AND mark_us < {{ until }}
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
GROUP BY host, reason, CASE WHEN place_in_host <= {{ LOSSES_MAX }} THEN place_in_host ELSE 0 END
ORDER BY host, at_us, reason, lost
