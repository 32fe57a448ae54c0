{# Calls without a token by host and period, to whichever cloud they are: AWS counts them all.
   The table has the hosts of each minute only if `line_counts` was asked `by_host`. #}
{% set start_us = "minute_us - minute_us % " ~ bucket_us %}
SELECT host, {{ start_us }} AS start_us, outcome, provider = 'aws' AS is_aws,
  sum(lines) AS requests
FROM call_counts
WHERE is_by_minute AND is_ours AND event = 'imds_request' AND version = 'v1' AND host IS NOT NULL
GROUP BY host, {{ start_us }}, outcome, provider = 'aws'
ORDER BY host, start_us, outcome, is_aws
