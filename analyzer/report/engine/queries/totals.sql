SELECT
  sum(CASE WHEN is_ours AND in_window THEN lines ELSE 0 END),
  sum(CASE WHEN is_ours THEN 0 ELSE lines END)
FROM line_counts WHERE NOT is_by_minute AND NOT is_by_slice
