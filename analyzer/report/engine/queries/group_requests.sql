{# A row: requests of one group that are alike, and how many. #}
{% import "columns.sql" as columns %}
SELECT caller_numbers.number, caller_numbers.is_listed, caller_numbers.group_caller,
  request_counts.place, request_counts.host,
  {% for name in columns.of_host + columns.of_request + columns.measured %}request_counts.{{ name }}{{ ", " if not loop.last }}{% endfor %}

FROM request_counts JOIN caller_numbers
  ON caller_numbers.caller = request_counts.caller
  AND caller_numbers.provider = request_counts.provider
