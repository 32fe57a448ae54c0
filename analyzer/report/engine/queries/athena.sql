-- Send these one by one, in this order, with {{ database }} as the database from the third on.
-- The table and the views are made once; a query reads all that is there by then.

CREATE DATABASE IF NOT EXISTS `{{ database }}`;

{# Each line is one text, taken apart by the view: the SerDes for JSON end a query at a damaged
   line, or leave it out unseen. The log has no control characters, and so no \001 to split at. #}
CREATE EXTERNAL TABLE IF NOT EXISTS `{{ database }}`.`recorded_lines` (`line` string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001'
STORED AS TEXTFILE
LOCATION '{{ place }}';

{% macro microseconds(text) -%}
CAST(ROUND(TO_UNIXTIME(TRY(FROM_ISO8601_TIMESTAMP_NANOS({{ text }}))) * {{ MICROSECONDS }}) AS BIGINT)
{%- endmacro %}
CREATE OR REPLACE VIEW "{{ database }}"."records" AS
SELECT {% for name, shape in fields.items() %}{% if shape == "document" %}JSON_FORMAT(whole."{{ name }}") AS "{{ name }}"{% else %}whole."{{ name }}"{% endif %}{{ ", " if not loop.last }}{% endfor %}, file,
  {{ microseconds('whole."timestamp"') }} AS at_us,
  {{ microseconds('whole."process"."start"') }} AS started_us,
  {{ microseconds('whole."boot"."time"') }} AS booted_us
FROM (
  SELECT "$path" AS file, TRY(CAST(JSON_PARSE(line) AS {{ type }})) AS whole
  FROM "{{ database }}"."recorded_lines" WHERE TRIM(line) <> ''
) AS lines;

{% for name, query in views.items() %}
CREATE OR REPLACE VIEW "{{ database }}"."{{ name }}" AS
{{ query }};

{% endfor %}
-- The questions.

{% for title, query in questions.items() %}
-- {{ title }}
{{ query }};
{% if not loop.last %}

{% endif %}
{% endfor %}
