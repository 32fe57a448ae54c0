SELECT number, max(group_caller) AS group_caller, max(provider) AS provider,
  min(first_us) AS first_seen_us, max(last_us) AS last_seen_us,
  max(CASE WHEN version = 'v1' THEN last_us END) AS last_v1_us,
  sum(CASE WHEN forwarded THEN lines ELSE 0 END) AS forwarded_requests,
  sum(CASE WHEN through <> '' THEN lines ELSE 0 END) AS through_requests,
  count(DISTINCT host) AS host_count,
  count(DISTINCT nullif(CASE WHEN workload <> '' THEN workload ELSE container END, ''))
    AS workload_count
FROM group_requests GROUP BY number ORDER BY number
