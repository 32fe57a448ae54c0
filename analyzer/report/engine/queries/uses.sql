{# How each group asks, and since when: kinds of requests that differ in who seems to ask. What looks
   least like a program's own call comes first. #}
SELECT number, version, operation, outcome, agent, relayed, path, host, host_count, requests,
  first_us, last_us
FROM (
  SELECT *, row_number() OVER (PARTITION BY number ORDER BY
    CASE WHEN version <> 'v1' THEN 3
      WHEN relayed <> '' OR lower(agent) LIKE 'mozilla/%' THEN 0
      WHEN operation = 'credentials' THEN 1 ELSE 2 END,
    requests, version, operation, outcome, agent, relayed) AS place_in_group
  FROM (
    SELECT number, version, operation, outcome, agent, relayed, max(path) AS path,
      min(host) AS host, count(DISTINCT host) AS host_count, sum(lines) AS requests,
      min(first_us) AS first_us, max(last_us) AS last_us
    FROM group_requests WHERE is_listed
    GROUP BY number, version, operation, outcome, agent, relayed
  ) AS counted
) AS ranked WHERE place_in_group <= {{ limit }}
ORDER BY number, place_in_group
