SELECT number, version, reason, outcome, operation, sum(lines) AS requests
FROM group_requests GROUP BY number, version, reason, outcome, operation
ORDER BY number, requests DESC, version, reason, outcome, operation
