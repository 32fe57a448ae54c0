{# A row: how many requests of a version the lines of one slice of time stand for, by what writes
   one log. A folded line stands for calls of its minute. #}
{% from "folded.sql" import unfolded %}
WITH keyed AS (
  SELECT host_keys.host, line_counts.boot, line_counts.probe, line_counts.version,
    line_counts.repeated, line_counts.slice_us, line_counts.lines
  FROM line_counts JOIN host_keys ON host_keys.name = line_counts.name
    AND host_keys.boot = line_counts.boot AND host_keys.instance = line_counts.instance
  WHERE line_counts.is_by_slice AND line_counts.slice_us IS NOT NULL
)
SELECT host, boot, probe, version, slice_us, sum(lines) AS requests FROM (
  SELECT host, boot, probe, version, slice_us, lines FROM keyed WHERE repeated = ''
{% if has_folded %}
  UNION ALL
  SELECT host, boot, probe, version, slice_us, lines FROM (
{{ unfolded("keyed", ["host", "boot", "probe", "slice_us"], ["version"], "repeated <> ''") }}
  ) AS unfolded
{% endif %}
) AS requests GROUP BY host, boot, probe, version, slice_us
