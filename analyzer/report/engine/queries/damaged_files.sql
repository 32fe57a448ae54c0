SELECT damaged_file, sum(lines) AS damaged_lines FROM call_counts
WHERE NOT is_by_minute AND NOT is_ours GROUP BY damaged_file ORDER BY damaged_file
