{# A row: calls that are alike, and how many. A folded line stands for calls of several operations
   and outcomes: each is counted as a line. #}
{% import "columns.sql" as columns %}
{% set kept = (columns.of_line | reject("in", columns.of_call) | list)
  + ["minute_us", "is_by_minute", "first_us", "last_us", "started_us"] %}
{% set is_folded = "repeated <> '' AND is_ours AND event = 'imds_request'" %}
SELECT {{ kept | join(", ") }}, version, operation, outcome, lines
FROM line_counts WHERE NOT ({{ is_folded }})
UNION ALL
SELECT {{ kept | join(", ") }}, split_part(counted, {{ UNIT }}, 1) AS version,
  split_part(counted, {{ UNIT }}, 2) AS operation, split_part(counted, {{ UNIT }}, 3) AS outcome,
  lines * CAST(split_part(counted, {{ UNIT }}, 4) AS BIGINT) AS lines
FROM (
  SELECT line_counts.*, split_part(repeated, {{ RECORD }}, number) AS counted
  FROM line_counts
  CROSS JOIN (VALUES {% for number in range(1, KINDS_MAX + 1) %}({{ number }}){{ ", " if not loop.last }}{% endfor %})
    AS numbers(number)
  WHERE {{ is_folded }} AND split_part(repeated, {{ RECORD }}, number) <> ''
) AS counts
