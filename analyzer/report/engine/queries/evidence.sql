{# A row: what was read of the code of a group's callers on a host. Of what was read several times
   of one executable in one place, only the last counts. `number` is the same for all hosts of
   which the same is told. #}
WITH told AS (
  SELECT line_counts.caller, host_keys.host, line_counts.executable, line_counts.container,
    line_counts.code, max(line_counts.last_us) AS last_us
  FROM line_counts JOIN host_keys ON host_keys.name = line_counts.name
    AND host_keys.boot = line_counts.boot AND host_keys.instance = line_counts.instance
  WHERE NOT is_by_minute AND NOT is_by_slice AND is_ours AND event = 'caller_evidence' AND code <> ''
  GROUP BY 1, 2, 3, 4, 5
), newest AS (
  SELECT caller, host, executable, code, max(last_us) AS last_us FROM (
    SELECT *, row_number() OVER (PARTITION BY caller, host, executable, container
      ORDER BY last_us DESC, code) AS age
    FROM told
  ) AS aged WHERE age = 1 GROUP BY 1, 2, 3, 4
), texts AS (
  SELECT caller_numbers.number AS group_number, newest.caller, newest.executable, newest.code,
    max(newest.last_us) AS last_us, count(*) AS hosts
  FROM newest JOIN caller_numbers ON caller_numbers.caller = newest.caller
  WHERE caller_numbers.is_listed AND caller_numbers.provider = 'aws'
  GROUP BY 1, 2, 3, 4
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY group_number
      ORDER BY hosts DESC, last_us DESC, executable, code) AS place_in_group,
    count(*) OVER (PARTITION BY group_number) AS texts_of_group
  FROM texts
), bounded AS (
  SELECT *, row_number() OVER (ORDER BY place_in_group, group_number) AS number FROM ranked
  WHERE place_in_group <= {{ EVIDENCE_OF_GROUP_MAX }}
)
SELECT bounded.number, bounded.group_number, bounded.executable, bounded.code,
  bounded.texts_of_group, newest.host, newest.last_us
FROM bounded JOIN newest ON newest.caller = bounded.caller
  AND newest.executable = bounded.executable AND newest.code = bounded.code
WHERE bounded.number <= {{ EVIDENCE_MAX }}
