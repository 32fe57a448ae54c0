{# A row: a boot of a host. The first `analyzer_started` of it tells when it was, and how long after
   that the probe was attached. A run's end is the boot's if no line follows. #}
SELECT boots.host, boots.boot, boots.first_us, boots.last_us, starts.booted_us, starts.attached_s,
  CASE WHEN boots.stopped_us >= boots.last_us THEN boots.stopped_us END AS stopped_us
FROM (
  SELECT host, boot, min(first_us) AS first_us, max(last_us) AS last_us,
    max(CASE WHEN event = 'analyzer_stopped' THEN last_us END) AS stopped_us
  FROM call_counts WHERE NOT is_by_minute AND is_ours AND boot <> '' GROUP BY host, boot
) AS boots LEFT JOIN (
  SELECT host, boot, booted_us, attached_s, row_number() OVER (
    PARTITION BY host, boot ORDER BY mark_us, booted_us, attached_s) AS place_in_boot
  FROM call_counts
  WHERE NOT is_by_minute AND is_ours AND boot <> '' AND event = 'analyzer_started'
) AS starts
  ON starts.host = boots.host AND starts.boot = boots.boot AND starts.place_in_boot = 1
