{# A row: a caller of one provider, and the number of its group. What matters most has the lowest
   number. Callers beyond the limit, those with the fewest calls, are one group for a provider. #}
WITH sums AS (
  SELECT caller, provider,
    sum(CASE WHEN version = 'v1' THEN lines ELSE 0 END) AS v1,
    sum(CASE WHEN version = 'unknown' THEN lines ELSE 0 END) AS unknown,
    sum(lines) AS requests
  FROM request_counts GROUP BY caller, provider
), ranked AS (
  SELECT *, row_number() OVER (ORDER BY v1 DESC, unknown DESC, requests DESC, caller, provider)
    AS place_in_all
  FROM sums
), bounded AS (
  SELECT *, place_in_all <= {{ groups_max }} AS is_listed,
    CASE WHEN place_in_all <= {{ groups_max }} THEN caller ELSE {{ FURTHER | quoted }} END
      AS group_caller
  FROM ranked
), numbered AS (
  SELECT group_caller, provider, row_number() OVER (
    ORDER BY v1 DESC, unknown DESC, requests DESC, group_caller, provider) AS number
  FROM (
    SELECT group_caller, provider, sum(v1) AS v1, sum(unknown) AS unknown,
      sum(requests) AS requests
    FROM bounded GROUP BY group_caller, provider
  ) AS group_sums
)
SELECT bounded.caller, bounded.provider, bounded.is_listed, bounded.group_caller, numbered.number
FROM bounded JOIN numbered
  ON numbered.group_caller = bounded.group_caller AND numbered.provider = bounded.provider
