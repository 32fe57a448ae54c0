{# Microseconds since the Unix epoch of a time in UTC, as the log has it or as a database writes it;
   the quick way first, for the form that the log has. #}
{% macro microseconds(text) -%}
epoch_us(try_cast(CASE
  WHEN length({{ text }}) = 27 AND ends_with({{ text }}, 'Z') THEN {{ text }}
  WHEN regexp_matches({{ text }}, {{ TIME | quoted }}) THEN {{ text }} END AS TIMESTAMP))
{%- endmacro %}
{% macro timed(records) -%}
(SELECT *, {{ microseconds("timestamp") }} AS at_us, {{ microseconds("process.start") }} AS started_us,
  {{ microseconds("boot.time") }} AS booted_us
FROM ({{ records }}) AS records) AS records
{%- endmacro %}
{% macro options(part) -%}
format = 'newline_delimited', compression = '{{ part.compression }}', ignore_errors = true,
  filename = true, hive_partitioning = false, maximum_object_size = {{ LINE_MAX }}
{%- endmacro %}
{# The files of each group have the same columns. The file's name is no part of the line; null
   takes it out. #}
{% macro parquet_lines(groups) -%}
{% for paths in groups %}
SELECT json_merge_patch(to_json(whole), '{"__imds_file": null}') AS line, whole.__imds_file AS file
FROM read_parquet([{{ paths | map("quoted") | join(", ") }}], hive_partitioning = false,
  filename = '__imds_file') AS whole
{{ "UNION ALL" if not loop.last }}
{% endfor %}
{%- endmacro %}
{% macro parsed(lines, kept="") -%}
SELECT unnest(json_transform(line, {{ structure | quoted }})), {{ kept }} file
FROM ({{ lines }}) AS lines
{%- endmacro %}
