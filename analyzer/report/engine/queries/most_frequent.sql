{# The most frequent values of a column in each group, `limit` of them at most. #}
SELECT number, value, requests FROM (
  SELECT number, value, requests,
    row_number() OVER (PARTITION BY number ORDER BY requests DESC, value) AS place_in_group
  FROM (
    SELECT number, {{ value }} AS value, sum(lines) AS requests
    FROM group_requests WHERE {{ condition }} GROUP BY number, {{ value }}
  ) AS counted WHERE value <> ''
) AS ranked WHERE place_in_group <= {{ limit }}
ORDER BY number, requests DESC, value
