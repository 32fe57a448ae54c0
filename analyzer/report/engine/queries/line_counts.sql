{# A row: lines that are alike, and how many. `is_by_minute` tells rows that keep the minute, and
   little else, `is_by_slice` those that keep the host and a slice of time, from those that keep all
   else: every line is counted once in each kind.

   Requests count from `since` to before `until`: these have `in_window`. Those of before tell who
   calls, and how often; they are kept without what is only listed. Marks count always: one behind
   the end says what was before it. IMDSv1 calls behind it are `left_out`, which is no event.

   `by_host` keeps what tells the host in the rows by the minute, too. They are more then. #}
{% import "columns.sql" as columns %}
{% set of_minute = columns.of_minute + (["name", "boot", "instance"] if by_host else []) %}
SELECT {{ (columns.of_line + columns.of_evidence) | join(", ") }}, minute_us, slice_us, file,
  grouping(minute_us) = 0 AS is_by_minute, grouping(slice_us) = 0 AS is_by_slice,
  count(*) AS lines, min(at_us) AS first_us, max(at_us) AS last_us, max(started_us) AS started_us
FROM (
  SELECT is_ours, odd, at_us >= {{ since }} AND at_us < {{ until }} AS in_window,
    CASE WHEN NOT is_ours THEN file END AS damaged_file, file, minute_us,
    CASE WHEN is_ours AND event = 'imds_request' AND at_us < {{ until }}
      THEN at_us - at_us % {{ slice_us }} END AS slice_us,
    at_us, started_us,
    {{ columns.of_evidence | join(", ") }},
{% for column in columns.of_host + columns.of_request + columns.of_mark %}
{% if column == "event" %}
    CASE WHEN at_us >= {{ until }} AND mark_us IS NULL THEN 'left_out' ELSE event END AS event
{%- elif since and column in columns.of_listed %}
    CASE WHEN at_us < {{ since }} THEN '' ELSE {{ column }} END AS {{ column }}
{%- else %}
    {{ column }}
{%- endif %}{{ "," if not loop.last }}
{% endfor %}
  FROM (
{% include "flat_lines.sql" %}
  ) AS lines
  WHERE NOT is_ours OR mark_us IS NOT NULL OR at_us < {{ until }}
    OR (event = 'imds_request' AND provider = 'aws' AND (version = 'v1' OR repeated <> ''))
) AS lines
GROUP BY GROUPING SETS (({{ (columns.of_line + columns.of_evidence) | join(", ") }}), ({{ of_minute | join(", ") }}),
  ({{ columns.of_slice | join(", ") }}))
