{# Reads every value of a table once. #}
{% from "duckdb_macros.sql" import parquet_lines with context %}
SELECT sum(length(line)) FROM ({{ parquet_lines([paths]) }}) AS lines
