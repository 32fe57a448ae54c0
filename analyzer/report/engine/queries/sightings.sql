{# A row: a caller that called IMDSv1 of AWS on a host, from the whole input. A call is at boot if
   it came soon after one, or if it is cloud-init's. Of calls that are partly soon after a boot and
   partly later on one day, one is known to be at boot. `last_offset_us` is of the latest of them. #}
{% set is_at_boot = "(is_of_boot OR first_us <= boot_us + " ~ AT_BOOT_US ~ ")" %}
WITH calls AS (
  SELECT call_counts.caller, call_counts.host, call_counts.boot, call_counts.day_us,
    coalesce(call_counts.kind = 'boot'
      OR call_counts.unit IN ({{ BOOT_UNITS | map("quoted") | join(", ") }})
      OR call_counts.launcher LIKE '{{ USER_DATA }}%' OR call_counts.program LIKE '{{ USER_DATA }}%',
      FALSE) AS is_of_boot,
    sum(call_counts.lines) AS lines,
    sum(CASE WHEN call_counts.outcome = 'rejected' THEN call_counts.lines ELSE 0 END) AS rejected,
    min(call_counts.first_us) AS first_us, max(call_counts.last_us) AS last_us
  FROM call_counts
  WHERE NOT is_by_minute AND is_ours AND event = 'imds_request' AND provider = 'aws'
    AND version = 'v1'
  GROUP BY 1, 2, 3, 4, 5
), timed AS (
  SELECT calls.*, boot_times.booted_us,
    coalesce(boot_times.booted_us, boot_times.first_us) AS boot_us
  FROM calls LEFT JOIN boot_times
    ON boot_times.host = calls.host AND boot_times.boot = calls.boot
), sums AS (
  SELECT caller, host, sum(lines) AS all_v1, sum(rejected) AS rejected,
    sum(CASE WHEN is_of_boot OR last_us <= boot_us + {{ AT_BOOT_US }} THEN lines
      WHEN {{ is_at_boot }} THEN 1 ELSE 0 END) AS at_boot,
    min(CASE WHEN NOT {{ is_at_boot }} THEN NULL WHEN first_us < booted_us THEN 0
      ELSE first_us - booted_us END) AS offset_us,
    max(CASE WHEN is_of_boot THEN last_us - boot_us
      WHEN {{ is_at_boot }} THEN least(last_us - boot_us, {{ AT_BOOT_US }}) END) AS last_offset_us,
    count(DISTINCT day_us) AS days
  FROM timed GROUP BY caller, host
), ranked AS (
  SELECT *, row_number() OVER (ORDER BY all_v1 DESC, caller, host) AS number,
    sum(days) OVER (ORDER BY all_v1 DESC, caller, host
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS days_so_far
  FROM sums
)
SELECT number, caller, host, all_v1, rejected, at_boot, offset_us, last_offset_us
FROM ranked WHERE number <= {{ SIGHTINGS_MAX }} AND days_so_far <= {{ SIGHTING_DAYS_MAX }}
