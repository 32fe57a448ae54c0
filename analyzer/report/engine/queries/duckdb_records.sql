{# The records: of JSON text, and of Parquet's rows. #}
{% from "duckdb_macros.sql" import options, parquet_lines, parsed, timed with context %}
{% set records %}
{% for part in parts %}
SELECT {{ fields | join(", ") }}, filename AS file
FROM read_json([{{ part.paths | map("quoted") | join(", ") }}], records = true,
  columns = {
{%- for name, type in fields.items() %}'{{ name }}': {{ type | quoted }}{{ ", " if not loop.last }}{% endfor -%}
  }, {{ options(part) }})
{{ "UNION ALL BY NAME" if not loop.last or parquet }}
{% endfor %}
{% if parquet %}
{{ parsed(parquet_lines(parquet)) }}
{% endif %}
{% endset %}
{{ timed(records) }}
