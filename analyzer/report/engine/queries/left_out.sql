{# Lines with IMDSv1 calls from `until` on, by host; a folded one with what it stands for. #}
SELECT host_keys.host, line_counts.version, line_counts.repeated, sum(line_counts.lines) AS lines
FROM line_counts JOIN host_keys ON host_keys.name = line_counts.name
  AND host_keys.boot = line_counts.boot AND host_keys.instance = line_counts.instance
WHERE NOT line_counts.is_by_minute AND NOT line_counts.is_by_slice AND line_counts.is_ours
  AND line_counts.event = 'left_out' AND NOT line_counts.sent_on
GROUP BY host_keys.host, line_counts.version, line_counts.repeated ORDER BY host_keys.host
