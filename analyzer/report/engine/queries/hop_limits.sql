SELECT number, hop_limit, sum(lines) AS requests FROM group_requests WHERE hop_limit > 0
GROUP BY number, hop_limit ORDER BY number, hop_limit
