{# How many lines there are, and what may be among them: 1, or 0 for what is certainly not. #}
{% set conditions = {
  "folded": "repeated <> ''",
  "v1": "version = 'v1' OR repeated <> ''",
  "token_requests": "reason = 'token_request'",
  "token_failures": "token_outcome <> ''",
  "hop_limits": "hop_limit > 0",
  "starts": "started_us IS NOT NULL",
  "evidence": "event = 'caller_evidence' AND code <> ''",
  "losses": "event = 'events_lost' OR not_written > 0",
  "counted_losses": "counted_lost > 0",
  "counted_v1": "counted_v1 > 0 OR not_written > 0",
  "counted_v2": "counted_v2 > 0 OR not_written > 0",
  "counted_unknown": "counted_unknown > 0 OR not_written > 0",
  "stops": "event = 'analyzer_stopped'",
  "left_out": "event = 'left_out'",
  "bootless_marks": "boot = '' AND mark_us IS NOT NULL"} %}
SELECT
  sum(CASE WHEN is_ours AND in_window THEN lines ELSE 0 END) AS counted_lines,
  sum(CASE WHEN is_ours THEN 0 ELSE lines END) AS damaged_lines,
{% for name, condition in conditions.items() %}
  max(CASE WHEN is_ours AND ({{ condition }}) THEN 1 ELSE 0 END) AS has_{{ name }}{{ "," if not loop.last }}
{% endfor %}
FROM line_counts WHERE NOT is_by_minute AND NOT is_by_slice
