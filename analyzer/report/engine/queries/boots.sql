SELECT host, booted_us FROM (
  SELECT host, booted_us,
    row_number() OVER (PARTITION BY host ORDER BY booted_us DESC, boot) AS place_in_host
  FROM (
    SELECT host, boot, min(first_us) AS booted_us FROM call_counts
    WHERE NOT is_by_minute AND is_ours AND boot <> '' GROUP BY host, boot
  ) AS boots
) AS ranked WHERE place_in_host <= {{ BOOTS_MAX }} ORDER BY host, booted_us
