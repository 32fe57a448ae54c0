{# Lost events that heartbeats or the end of a run counted, and of which no line is there. A run's
   end counts what its heartbeats have counted, too. The same line twice counts once. #}
WITH sums AS (
  SELECT host, max(CASE WHEN counted_lost > 0 THEN mark_us END) AS at_us,
    sum(CASE WHEN event = 'heartbeat' THEN coalesce(counted_lost, 0) ELSE 0 END) AS beaten,
    sum(CASE WHEN event = 'analyzer_stopped' THEN coalesce(counted_lost, 0) ELSE 0 END) AS ended,
    sum(CASE WHEN event = 'events_lost' AND lost_reason <> 'log_not_written'
{% for beginning in OF_NO_REQUEST %}
        AND lost_reason NOT LIKE '{{ beginning }}%'
{% endfor %}
      THEN coalesce(lost, 0) ELSE 0 END) AS told
  FROM call_counts
  WHERE NOT is_by_minute AND is_ours AND mark_us >= {{ since }} AND mark_us <= {{ until }}
  GROUP BY host
)
SELECT host, at_us, 'counted_lost' AS reason, greatest(beaten, ended) - told AS lost
FROM sums WHERE greatest(beaten, ended) > told ORDER BY host
