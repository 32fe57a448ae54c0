{# The records at the examples' times, with their lines. Where the analyzer's own writer has put
   the time, it need not be parsed to be compared. #}
{% from "duckdb_macros.sql" import microseconds, options, parquet_lines, parsed, timed with context %}
{% set written = "'%Y-%m-%dT%H:%M:%S.%fZ'" %}
{% set lines %}
{% for part in parts %}
SELECT json AS line, filename AS file
FROM read_ndjson_objects([{{ part.paths | map("quoted") | join(", ") }}], {{ options(part) }})
{{ "UNION ALL" if not loop.last or parquet }}
{% endfor %}
{% if parquet %}
{{ parquet_lines(parquet) }}
{% endif %}
{% endset %}
{% set wanted %}
SELECT line, file FROM ({{ lines }}) AS lines
WHERE CASE WHEN starts_with(line, '{"timestamp":"') AND substr(line, 41, 2) = 'Z"'
    THEN substr(line, 15, 27)
    ELSE strftime(make_timestamp({{ microseconds("json_extract_string(line, '$.timestamp')") }}),
      {{ written }}) END
  IN (SELECT strftime(make_timestamp(at_us), {{ written }}) FROM example_requests)
{% endset %}
{{ timed(parsed(wanted, kept="line,")) }}
