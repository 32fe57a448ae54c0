{# When the callers of the sightings called on each day: IMDSv1, IMDSv2 with success, and calls that
   are not clear: of unknown version, or IMDSv2 that was refused. #}
{% set kind = "CASE WHEN call_counts.version = 'v1' THEN 'v1'
  WHEN call_counts.version = 'v2' AND call_counts.outcome = 'success' THEN 'v2' ELSE 'unclear' END" %}
SELECT sightings.number, {{ kind }} AS kind, min(call_counts.first_us) AS first_seen_us,
  max(call_counts.last_us) AS last_seen_us
FROM call_counts JOIN sightings
  ON sightings.caller = call_counts.caller AND sightings.host = call_counts.host
WHERE NOT call_counts.is_by_minute AND call_counts.is_ours AND call_counts.event = 'imds_request'
  AND call_counts.provider = 'aws' AND (call_counts.version <> 'v2'
    OR (call_counts.outcome IN ('success', 'rejected') AND call_counts.operation <> 'token'))
GROUP BY sightings.number, {{ kind }}, call_counts.day_us
ORDER BY number, first_seen_us
