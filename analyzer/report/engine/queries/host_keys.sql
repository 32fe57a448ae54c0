{# A row: how lines name their host, and what tells hosts apart. That is the instance; of lines
   without one, the instance whose boot id they have; else the newest name of the boot. A name that
   could be an instance's is marked, so that it is none. #}
WITH named AS (
  SELECT name, boot, instance, max(last_us) AS last_us FROM line_counts
  WHERE NOT is_by_minute AND NOT is_by_slice AND is_ours GROUP BY name, boot, instance
), instances AS (
  SELECT boot, max(instance) AS instance FROM named
  WHERE boot <> '' AND instance <> '' GROUP BY boot HAVING min(instance) = max(instance)
), names AS (
  SELECT boot, name AS newest_name FROM (
    SELECT boot, name, row_number() OVER (PARTITION BY boot ORDER BY last_us DESC, name)
      AS place_in_boot
    FROM named WHERE boot <> '' AND instance = ''
  ) AS ranked WHERE place_in_boot = 1
), keyed AS (
  SELECT named.name, named.boot, named.instance,
    CASE WHEN named.instance <> '' THEN named.instance ELSE instances.instance END AS known_instance,
    coalesce(names.newest_name, named.name) AS newest_name
  FROM named LEFT JOIN instances ON instances.boot = named.boot
  LEFT JOIN names ON names.boot = named.boot
)
SELECT name, boot, instance, CASE
  WHEN known_instance IS NOT NULL THEN known_instance
  WHEN regexp_matches(newest_name, {{ LIKE_A_KEY | quoted }})
    THEN {{ HOST_MARK | quoted }} || newest_name
  ELSE newest_name END AS host
FROM keyed
