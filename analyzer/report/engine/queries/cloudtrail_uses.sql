{# A row: API calls that are alike, made with credentials that IMDSv1 delivered. The session of an
   instance's role is named by the instance. `trail` has the columns of CloudTrail's table for
   Athena; times are text, as CloudTrail writes them. #}
SELECT useridentity.accountid AS account, awsregion AS region,
  coalesce(useridentity.sessioncontext.sessionissuer.username, '') AS role,
  split_part(useridentity.principalid, ':', 2) AS instance,
  eventsource AS service, eventname AS action, coalesce(useragent, '') AS user_agent,
  coalesce(useridentity.sessioncontext.attributes.creationdate, '') AS issued_at,
  min(eventtime) AS first_at, max(eventtime) AS last_at, count(*) AS calls,
  count(nullif(errorcode, '')) AS errors,
  array_to_string(list_sort(array_agg(DISTINCT coalesce(sourceipaddress, ''))), ',') AS sources
FROM {{ trail }}
WHERE useridentity.sessioncontext.ec2roledelivery = '1.0'
  AND regexp_matches(useridentity.principalid, ':i-[0-9a-f]{8,17}$')
  AND eventtime >= {{ since | quoted }} AND eventtime < {{ until | quoted }}
{% if since_day %}
  AND day >= {{ since_day | quoted }}
{% endif %}
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY calls DESC, account, role, instance, service, action, user_agent, issued_at
