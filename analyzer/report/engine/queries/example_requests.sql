{# A row: the requests among which a group's example is. That is the worst version's last one;
   what else they are known by decides if two are as late. #}
{% import "columns.sql" as columns %}
{% set names = columns.of_example | join(", ") %}
SELECT number, last_us AS at_us, {{ names }}
FROM (
  SELECT *, row_number() OVER (PARTITION BY number ORDER BY
    CASE version WHEN 'v1' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END, last_us DESC, {{ names }}
  ) AS place_in_group
  FROM group_requests
) AS ranked WHERE place_in_group = 1
