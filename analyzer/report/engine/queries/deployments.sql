{# The newest start of a process of a unit or container. What another program, a person or the boot
   starts is no deployment. #}
SELECT host, max(started_us) FROM group_requests
WHERE launcher = '' AND kind NOT IN ('person', 'boot')
  AND unit NOT LIKE 'session-%' AND unit NOT LIKE 'run-%'
GROUP BY host ORDER BY host
