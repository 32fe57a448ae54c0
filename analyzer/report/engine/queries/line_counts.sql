{# A row: lines that are alike, and how many. `is_by_minute` tells rows that keep the minute, and
   little else, from those that keep all else: every line is counted once in each kind.

   Requests and other lines count from `since` to before `until`. Marks count always: one behind
   the end says what was before it.

   `by_host` keeps what tells the host in the rows by the minute, too. They are more then. #}
{% import "columns.sql" as columns %}
{% set of_minute = columns.of_minute + (["host", "boot", "instance"] if by_host else []) %}
SELECT {{ columns.of_line | join(", ") }}, minute_us, grouping(minute_us) = 0 AS is_by_minute,
  count(*) AS lines, min(at_us) AS first_us, max(at_us) AS last_us, max(started_us) AS started_us
FROM (
  SELECT *, CASE WHEN NOT is_ours THEN file END AS damaged_file
  FROM (
{% include "flat_lines.sql" %}
  ) AS lines
  WHERE NOT is_ours OR mark_us IS NOT NULL OR (at_us >= {{ since }} AND at_us < {{ until }})
) AS lines
GROUP BY GROUPING SETS (({{ columns.of_line | join(", ") }}), ({{ of_minute | join(", ") }}))
