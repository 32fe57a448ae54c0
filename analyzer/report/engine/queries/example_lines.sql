{% import "columns.sql" as columns %}
SELECT example_requests.number, min(lines.line)
FROM example_requests JOIN (
{% include "flat_lines.sql" %}
) AS lines ON example_requests.at_us = lines.at_us
{% for name in columns.of_example %}
  AND example_requests.{{ name }} = lines.{{ name }}
{% endfor %}
GROUP BY example_requests.number ORDER BY example_requests.number
