SELECT DISTINCT host, probe FROM call_counts WHERE NOT is_by_minute AND is_ours AND probe <> ''
ORDER BY host, probe
