{# How many requests the lines of each day stand for, by what writes one log. #}
SELECT host, boot, probe, day_us, version, sum(lines) AS requests FROM call_counts
WHERE NOT is_by_minute AND is_ours AND event = 'imds_request'
GROUP BY host, boot, probe, day_us, version
