{# A row: requests to a metadata service that are alike, and how many. #}
SELECT *,
  CASE WHEN orchestrator <> '' THEN orchestrator WHEN runtime <> '' THEN runtime
    WHEN container <> '' THEN 'container' ELSE 'host' END AS place
FROM call_counts WHERE NOT is_by_minute AND is_ours AND in_window
  AND event = 'imds_request'
