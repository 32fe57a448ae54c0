SELECT number, max(group_number) AS group_number, max(executable) AS executable,
  max(code) AS code, max(texts_of_group) AS texts_of_group, max(last_us) AS last_us
FROM evidence GROUP BY number ORDER BY number
