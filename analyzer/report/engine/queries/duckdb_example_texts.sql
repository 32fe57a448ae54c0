{# The lines at the examples' times. Where the analyzer's own writer has put the time, it need not be
   parsed to be compared. #}
{% from "duckdb_macros.sql" import microseconds, options, parquet_lines with context %}
{% set written = "'%Y-%m-%dT%H:%M:%S.%fZ'" %}
SELECT line, file, {{ microseconds("written") }} AS at_us
FROM (
  SELECT line, file, json_extract_string(line, '$.timestamp') AS written
  FROM (
{% for part in parts %}
    SELECT json AS line, filename AS file
    FROM read_ndjson_objects([{{ part.paths | map("quoted") | join(", ") }}], {{ options(part) }})
    {{ "UNION ALL" if not loop.last or parquet }}
{% endfor %}
{% if parquet %}
{{ parquet_lines(parquet) }}
{% endif %}
  ) AS lines
) AS lines
WHERE CASE WHEN starts_with(line, '{"timestamp":"') AND substr(line, 41, 2) = 'Z"'
    THEN substr(line, 15, 27)
    ELSE strftime(make_timestamp({{ microseconds("written") }}), {{ written }}) END
  IN (SELECT strftime(make_timestamp(at_us), {{ written }}) FROM example_requests)
