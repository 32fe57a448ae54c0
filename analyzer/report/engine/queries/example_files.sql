{# The files that may have the examples: those with lines of the host around the example's time. #}
SELECT DISTINCT line_counts.file FROM line_counts JOIN example_requests
  ON example_requests.name = line_counts.name AND example_requests.boot = line_counts.boot
  AND example_requests.instance = line_counts.instance
  AND example_requests.probe = line_counts.probe
WHERE line_counts.is_by_slice AND line_counts.first_us <= example_requests.at_us
  AND line_counts.last_us >= example_requests.at_us
