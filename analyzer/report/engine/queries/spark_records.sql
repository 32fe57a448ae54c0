{# A line that is no JSON, or not UTF-8, has no fields, and a blank one is none. #}
{% macro microseconds(text) -%}
unix_micros(try_cast(CASE WHEN {{ text }} RLIKE {{ TIME | quoted }} THEN {{ text }} END AS timestamp))
{%- endmacro %}
SELECT *, {{ microseconds("timestamp") }} AS at_us, {{ microseconds("process.start") }} AS started_us,
  {{ microseconds("boot.time") }} AS booted_us
FROM (
  SELECT line, file, {% for name in fields %}whole.`{{ name }}`{{ ", " if not loop.last }}{% endfor %}

  FROM (
    SELECT line, file,
      CASE WHEN is_valid_utf8(line) THEN from_json(line, {{ schema | quoted }}) END AS whole
    FROM recorded_lines WHERE trim(BOTH ' \t\r\n' FROM line) <> ''
  )
)
