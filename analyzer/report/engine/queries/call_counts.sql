{# A row: calls that are alike, and how many. A folded line stands for calls of several operations
   and outcomes: each is counted as a line.

   What a proxy sent on is the same call as another line's, which has `through`. Only the lines by
   the slice keep it: heartbeats count it, too. #}
{% import "columns.sql" as columns %}
{% from "folded.sql" import unfolded %}
{% set kept = (columns.of_line | reject("in", columns.of_call) | list)
  + ["host", "minute_us", "is_by_minute", "first_us", "last_us", "started_us"] %}
{% set is_folded = "repeated <> '' AND is_ours AND event = 'imds_request'" %}
WITH keyed AS (
  SELECT line_counts.*, host_keys.host
  FROM line_counts LEFT JOIN host_keys ON host_keys.name = line_counts.name
    AND host_keys.boot = line_counts.boot AND host_keys.instance = line_counts.instance
  WHERE NOT is_by_slice AND coalesce(event, '') <> 'left_out'
    AND (NOT is_ours OR odd IN ('', 'unreadable_loss')) AND (NOT is_by_minute OR in_window)
    AND NOT (sent_on AND is_ours AND event = 'imds_request')
)
SELECT {{ kept | join(", ") }}, version, operation, outcome, lines
FROM keyed{{ " WHERE NOT (" ~ is_folded ~ ")" if has_folded }}
{% if has_folded %}
UNION ALL
{{ unfolded("keyed", kept, columns.of_call, is_folded) }}
{% endif %}
