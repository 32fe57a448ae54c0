{# Requests count in the window. A host that called IMDSv1 before it is there, too: `--since` hides
   no caller that is known. #}
{% set is_to_aws = "in_window AND event = 'imds_request' AND provider = 'aws'" %}
SELECT host, nullif(max(instance), '') AS instance_id,
{% for version in VERSIONS %}
  sum(CASE WHEN {{ is_to_aws }} AND version = '{{ version }}' THEN lines ELSE 0 END)
    AS {{ version }}_requests,
{% endfor %}
  sum(CASE WHEN in_window AND event = 'imds_request' AND provider <> 'aws' THEN lines ELSE 0 END)
    AS other_clouds,
  coalesce(min(CASE WHEN in_window THEN first_us END), min(first_us)) AS first_seen_us,
  max(last_us) AS last_seen_us,
  max(CASE WHEN {{ is_to_aws }} AND version = 'v1' THEN last_us END) AS last_v1_us,
  max(CASE WHEN {{ is_to_aws }} AND version = 'unknown' THEN last_us END) AS last_unknown_us
FROM call_counts WHERE NOT is_by_minute AND is_ours
  AND (in_window{{ " OR host IN (SELECT host FROM sightings)" if has_sightings }}) GROUP BY host ORDER BY host
