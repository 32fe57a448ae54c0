{# The v1 calls of each group that asks for tokens, by what became of its token requests on the host
   of the calls. #}
SELECT number, CASE WHEN failed > 0 THEN 'failed' WHEN got > 0 THEN 'got' ELSE 'none' END AS asked,
  sum(v1) AS requests
FROM (
  SELECT number, host,
    sum(CASE WHEN version = 'v1' THEN lines ELSE 0 END) AS v1,
    sum(CASE WHEN reason = 'token_request' AND outcome = 'success' THEN lines ELSE 0 END) AS got,
    sum(CASE WHEN reason = 'token_request' AND outcome NOT IN ('success', '') THEN lines ELSE 0 END)
      AS failed
  FROM group_requests
  WHERE number IN (SELECT number FROM group_requests WHERE reason = 'token_request')
  GROUP BY number, host
) AS hosts
WHERE v1 > 0
GROUP BY number, CASE WHEN failed > 0 THEN 'failed' WHEN got > 0 THEN 'got' ELSE 'none' END
ORDER BY number, asked
