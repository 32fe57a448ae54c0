{# Rows with calls of several kinds in `repeated`: each is a row for each kind, with that kind's
   count in its lines. `kept` are the columns that pass through. #}
{% macro unfolded(table, kept, counted, condition="TRUE") -%}
SELECT {{ kept | join(", ") }},
{% for column in counted %}
  split_part(counted, {{ UNIT }}, {{ loop.index }}) AS {{ column }},
{% endfor %}
  lines * CAST(split_part(counted, {{ UNIT }}, 4) AS BIGINT) AS lines
FROM (
  SELECT {{ table }}.*, split_part(repeated, {{ RECORD }}, number) AS counted
  FROM {{ table }}
  CROSS JOIN (VALUES {% for number in range(1, KINDS_MAX + 1) %}({{ number }}){{ ", " if not loop.last }}{% endfor %})
    AS numbers(number)
  WHERE {{ condition }} AND split_part(repeated, {{ RECORD }}, number) <> ''
) AS counts
{%- endmacro %}
