{% set is_to_aws = "event = 'imds_request' AND provider = 'aws'" %}
SELECT host, nullif(max(instance), '') AS instance_id,
{% for version in VERSIONS %}
  sum(CASE WHEN {{ is_to_aws }} AND version = '{{ version }}' THEN lines ELSE 0 END)
    AS {{ version }}_requests,
{% endfor %}
  sum(CASE WHEN event = 'imds_request' AND provider <> 'aws' THEN lines ELSE 0 END)
    AS other_clouds,
  min(first_us) AS first_seen_us, max(last_us) AS last_seen_us,
  max(CASE WHEN {{ is_to_aws }} AND version = 'v1' THEN last_us END) AS last_v1_us,
  max(CASE WHEN {{ is_to_aws }} AND version = 'unknown' THEN last_us END) AS last_unknown_us
FROM call_counts WHERE NOT is_by_minute AND is_ours AND in_window GROUP BY host ORDER BY host
