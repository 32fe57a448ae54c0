{# Of the latest day, as it can be set anew; the most, as there may be processes with a network of
   their own that is no container's. Who is known by an address alone may be a guest. #}
SELECT host, hop_limit FROM (
  SELECT host, day_us, max(hop_limit) AS hop_limit,
    row_number() OVER (PARTITION BY host ORDER BY day_us DESC) AS place_in_host
  FROM call_counts
  WHERE NOT is_by_minute AND is_ours AND in_window AND hop_limit > 0 AND container = '' AND runtime = ''
    AND orchestrator = '' AND account <> ''
  GROUP BY host, day_us
) AS days WHERE place_in_host = 1 ORDER BY host
