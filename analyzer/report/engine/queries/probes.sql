SELECT DISTINCT host, probe FROM call_counts WHERE NOT is_by_minute AND is_ours AND probe <> ''
  AND (in_window OR mark_us IS NOT NULL)
ORDER BY host, probe
