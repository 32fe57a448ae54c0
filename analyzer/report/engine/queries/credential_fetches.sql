{# A row: a caller's successful fetches of credentials by IMDSv1 within an hour. A folded line
   stands for calls until its own time. A row without a caller: an instance that has a log. #}
{% set folded %}regexp_extract({{ RECORD }} || repeated,
  {{ RECORD }} || 'v1' || {{ UNIT }} || 'credentials' || {{ UNIT }} || 'success' || {{ UNIT }} || '([0-9]+)', 1){% endset %}
WITH requests AS (
  SELECT coalesce(nullif(instance, ''), name) AS host, *, CASE WHEN repeated = ''
      THEN CAST(version = 'v1' AND operation = 'credentials' AND outcome = 'success' AS BIGINT)
    ELSE coalesce(try_cast({{ folded }} AS BIGINT), 0) END AS fetches
  FROM (
{% include "flat_lines.sql" %}
  ) AS lines
  WHERE is_ours AND odd = ''
)
SELECT host, caller, program, launcher,
  regexp_extract(path, '/security-credentials/([^/?]+)', 1) AS role,
  min(at_us) AS first_us, max(at_us) AS last_us, sum(fetches) AS fetches
FROM requests
WHERE event = 'imds_request' AND provider = 'aws' AND fetches > 0
GROUP BY host, caller, program, launcher, role, at_us - at_us % {{ HOUR_US }}
UNION ALL
SELECT DISTINCT host, NULL, NULL, NULL, NULL, 0, 0, 0 FROM requests
