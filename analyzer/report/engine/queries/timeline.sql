{% set start_us = "minute_us - minute_us % " ~ bucket_us %}
SELECT {{ start_us }} AS start_us, version, outcome, sum(lines) AS requests
FROM call_counts
WHERE is_by_minute AND is_ours AND event = 'imds_request' AND provider = 'aws'
GROUP BY {{ start_us }}, version, outcome
ORDER BY start_us, version, outcome
