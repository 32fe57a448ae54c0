{# The records of the lines at the examples' times. #}
{% from "duckdb_macros.sql" import parsed, timed with context %}
{{ timed(parsed("SELECT line, file FROM example_texts", kept="line,")) }}
