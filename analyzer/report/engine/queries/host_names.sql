{# All names of each host; the newest comes last. #}
SELECT host, name FROM (
  SELECT host, name, max(last_us) AS last_us,
    row_number() OVER (PARTITION BY host ORDER BY max(last_us) DESC, name) AS place_in_host
  FROM call_counts WHERE NOT is_by_minute AND is_ours GROUP BY host, name
) AS names WHERE place_in_host <= {{ NAMES_MAX }} ORDER BY host, place_in_host DESC
