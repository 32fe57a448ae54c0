SELECT number, token_outcome, sum(lines) AS requests
FROM group_requests WHERE version = 'v1' AND token_outcome <> ''
GROUP BY number, token_outcome ORDER BY number, token_outcome
