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
{# These numbers of a line that is not a request's, each named once: all that is written anew is
   planned anew. #}
{% macro right_numbers() -%}
{% for name in ("interval_s", "uptime_s") %}
      {{ seconds(name) }} AS right_{{ name }},
{% endfor %}
{% for name in ("count", "lost") %}
      {{ count(name) }} AS right_{{ name }},
{% endfor %}
{% for version in VERSIONS %}
      {{ count("requests." ~ version) }} AS right_requests_{{ version }},
      {{ count("not_written." ~ version) }} AS right_not_written_{{ version }}{{ "," if not loop.last }}
{% endfor %}
{%- endmacro %}
{# Whether a line has all numbers that its event must have, and no impossible one. #}
{% macro are_right() -%}
CASE event
  WHEN 'imds_request' THEN imds.repeated IS NULL OR coalesce(array_to_string(list_transform(imds.repeated,
    lambda each: CASE WHEN {{ calls("each.count") }} IS NULL THEN '?' ELSE '' END), ''), '') = ''
{% for event, numbers in NUMBERS.items() %}
  WHEN '{{ event }}' THEN TRUE
{% for name in numbers.counts + numbers.times %}
    AND right_{{ name }} IS NOT NULL
{% endfor %}
{% for version in VERSIONS if numbers.has_not_written %}
    AND (not_written.{{ version }} IS NULL OR right_not_written_{{ version }} IS NOT NULL)
{% endfor %}
{% endfor %}
  ELSE TRUE END
{%- endmacro %}
