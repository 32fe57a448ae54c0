{# The numbers that lines count by; null where one cannot be right. See numbers.py. #}
{% macro number(column, pattern) -%}
CASE WHEN regexp_matches({{ column }}, {{ pattern | quoted }}) THEN try_cast({{ column }} AS DOUBLE) END
{%- endmacro %}
{% macro count(column) -%}{{ number(column, COUNT) }}{%- endmacro %}
{% macro calls(column) -%}{{ number(column, CALLS) }}{%- endmacro %}
{% macro seconds(column) -%}
CASE WHEN try_cast({{ column }} AS DOUBLE) BETWEEN 0 AND {{ SECONDS_MAX }}
  THEN try_cast({{ column }} AS DOUBLE) END
{%- endmacro %}
{# Whether a line has all numbers that its event must have, and no impossible one. #}
{% macro are_right() -%}
CASE event
  WHEN 'imds_request' THEN imds.repeated IS NULL OR coalesce(array_to_string(list_transform(imds.repeated,
    lambda each: CASE WHEN {{ calls("each.count") }} IS NULL THEN '?' ELSE '' END), ''), '') = ''
{% for event, numbers in NUMBERS.items() %}
  WHEN '{{ event }}' THEN TRUE
{% for name in numbers.counts %}
    AND {{ count(name) }} IS NOT NULL
{% endfor %}
{% for name in numbers.times %}
    AND {{ seconds(name) }} IS NOT NULL
{% endfor %}
{% for version in VERSIONS if numbers.has_not_written %}
    AND (not_written.{{ version }} IS NULL OR {{ count("not_written." ~ version) }} IS NOT NULL)
{% endfor %}
{% endfor %}
  ELSE TRUE END
{%- endmacro %}
