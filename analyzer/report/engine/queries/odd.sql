{# Lines that cannot count as they are, by host and kind; those before their boot count all the same. #}
SELECT host, kind, sum(lines) AS lines, min(first_us) AS first_seen_us, max(last_us) AS last_seen_us,
  max(example) AS example
FROM (
  SELECT host_keys.host, line_counts.odd AS kind, line_counts.lines, line_counts.first_us,
    line_counts.last_us, CASE line_counts.odd
      WHEN 'not_understood' THEN CASE
        WHEN line_counts.event <> 'imds_request' THEN 'event: ' || line_counts.event
        WHEN line_counts.version IN ('v1', 'v2', 'unknown')
          AND line_counts.provider IN ({{ PROVIDERS | map("quoted") | join(", ") }})
          THEN 'imds.repeated.version'
        WHEN line_counts.version IN ('v1', 'v2', 'unknown')
          THEN 'imds.provider: ' || line_counts.provider
        ELSE 'imds.version: ' || line_counts.version END
      ELSE line_counts.event END AS example
  FROM line_counts JOIN host_keys ON host_keys.name = line_counts.name
    AND host_keys.boot = line_counts.boot AND host_keys.instance = line_counts.instance
  WHERE NOT line_counts.is_by_minute AND NOT line_counts.is_by_slice AND line_counts.is_ours
    AND line_counts.odd <> ''
  UNION ALL
  SELECT call_counts.host, 'before_boot' AS kind,
    CASE WHEN call_counts.last_us < boot_times.booted_us - {{ MINUTE_US }}
      THEN call_counts.lines ELSE 1 END AS lines,
    call_counts.first_us,
    least(call_counts.last_us, boot_times.booted_us - {{ MINUTE_US }}) AS last_us,
    call_counts.event AS example
  FROM call_counts JOIN boot_times
    ON boot_times.host = call_counts.host AND boot_times.boot = call_counts.boot
  WHERE NOT call_counts.is_by_minute AND call_counts.is_ours
    AND call_counts.first_us < boot_times.booted_us - {{ MINUTE_US }}
) AS found
WHERE last_us >= {{ since }} OR kind = 'too_early'
GROUP BY host, kind ORDER BY host, kind
