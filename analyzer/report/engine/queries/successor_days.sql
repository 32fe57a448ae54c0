{# When callers of the sightings called IMDSv2 with success on hosts where they never called IMDSv1,
   on each day. It shows that the successors of a host are mended. #}
SELECT call_counts.caller, call_counts.host, min(call_counts.first_us) AS first_seen_us,
  max(call_counts.last_us) AS last_seen_us
FROM call_counts
JOIN (SELECT DISTINCT caller FROM sightings) AS known ON known.caller = call_counts.caller
LEFT JOIN sightings ON sightings.caller = call_counts.caller AND sightings.host = call_counts.host
WHERE NOT call_counts.is_by_minute AND call_counts.is_ours AND call_counts.event = 'imds_request'
  AND call_counts.provider = 'aws' AND call_counts.version = 'v2'
  AND call_counts.outcome = 'success' AND call_counts.operation <> 'token'
  AND sightings.host IS NULL
GROUP BY call_counts.caller, call_counts.host, call_counts.day_us
ORDER BY call_counts.caller, call_counts.host, first_seen_us LIMIT {{ SIGHTING_DAYS_MAX }}
