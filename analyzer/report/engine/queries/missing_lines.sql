{# A row: requests that heartbeats and ends of runs counted, and that no line stands for.

   The lines of a slice of time are counted in it, or up to COUNTED_LATE_US after it, and once. So,
   of each stretch from one interval to another, the sum of what was counted is compared with the
   lines that these intervals can have counted. What is missing of any stretch is missing, however
   many lines there are before and after it. `whole` are the stretches of all time, the others those
   that end in one hour. #}
{% set so_far = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW" %}
WITH doubtful AS (
{% include "doubtful.sql" %}
), judged AS (
  SELECT counted_lines.*,
    counted_so_far - opened - min(counted_so_far - counted - closed) OVER (
      PARTITION BY counted_lines.writer, counted_lines.is_run ORDER BY number {{ so_far }}) AS of_all,
    counted_so_far - opened - min(counted_so_far - counted - closed) OVER (
      PARTITION BY counted_lines.writer, counted_lines.is_run, hour_us ORDER BY number {{ so_far }}) AS of_hour
  FROM counted_lines JOIN doubtful
    ON doubtful.writer = counted_lines.writer AND doubtful.is_run = counted_lines.is_run
), most_of_hour AS (
  SELECT writer, is_run, hour_us, max(of_hour) AS missing FROM judged
  GROUP BY writer, is_run, hour_us HAVING max(of_hour) > 0
), most_of_all AS (
  SELECT writer, is_run, max(of_all) AS missing FROM judged
  WHERE NOT is_run GROUP BY writer, is_run HAVING max(of_all) > 0
), found AS (
  SELECT judged.writer, judged.is_run, FALSE AS is_whole,
    min(CASE WHEN judged.of_hour > 0 THEN judged.start_us END) AS start_us,
    min(CASE WHEN judged.of_hour = most_of_hour.missing THEN judged.end_us END) AS end_us,
    sum(judged.counted) AS counted, max(judged.of_hour) AS missing
  FROM judged JOIN most_of_hour ON most_of_hour.writer = judged.writer
    AND most_of_hour.is_run = judged.is_run AND most_of_hour.hour_us = judged.hour_us
  GROUP BY judged.writer, judged.is_run, judged.hour_us
  UNION ALL
  SELECT judged.writer, judged.is_run, TRUE AS is_whole,
    min(CASE WHEN judged.of_all > 0 THEN judged.start_us END) AS start_us,
    min(CASE WHEN judged.of_all = most_of_all.missing THEN judged.end_us END) AS end_us,
    sum(judged.counted) AS counted, max(judged.of_all) AS missing
  FROM judged JOIN most_of_all
    ON most_of_all.writer = judged.writer AND most_of_all.is_run = judged.is_run
  GROUP BY judged.writer, judged.is_run
)
SELECT writers.host, writers.boot, writers.probe, writers.version, found.is_run, found.is_whole,
  found.start_us, found.end_us, found.counted, found.missing
FROM found JOIN (SELECT DISTINCT writer, host, boot, probe, version FROM counted_lines) AS writers
  ON writers.writer = found.writer
ORDER BY writers.host, writers.boot, writers.probe, writers.version, found.end_us, found.is_whole
