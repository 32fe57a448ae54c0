{# The examples that nothing else can be: the only line of the example's time, boot, version and
   caller. A line that names its caller as older releases did may be any caller's. #}
SELECT example_requests.number, min(example_texts.line) AS line
FROM example_requests JOIN example_texts ON example_texts.at_us = example_requests.at_us
{% for column, field, lacking in [
  ("boot", "$.host.boot_id", "''"), ("version", "$.imds.version", "''"),
  ("caller", "$.imds.caller.key", "example_requests.caller")] %}
  AND coalesce(json_extract_string(example_texts.line, '{{ field }}'), {{ lacking }})
    = example_requests.{{ column }}
{% endfor %}
GROUP BY example_requests.number HAVING min(example_texts.line) = max(example_texts.line)
ORDER BY example_requests.number
