SELECT number, day_us, max(CASE WHEN version = 'v1' THEN 1 ELSE 0 END)
FROM group_requests GROUP BY number, day_us ORDER BY number, day_us
