{# What is shown of a group: of several values the one with the most v1 calls. #}
{% set facts = {"program": "program", "launcher": "launcher", "kind": "kind", "unit": "unit",
  "place": "place", "user_agent": "agent", "deployed": "deployed", "container": "container_name",
  "image": "image", "labels": "labels", "through": "through"} %}
SELECT number, fact, value FROM (
  SELECT number, fact, value, row_number() OVER (
    PARTITION BY number, fact ORDER BY v1 DESC, unknown DESC, requests DESC, value
  ) AS place_in_fact
  FROM (
{% for fact, column in facts.items() %}
    SELECT number, '{{ fact }}' AS fact, {{ column }} AS value,
      sum(CASE WHEN version = 'v1' THEN lines ELSE 0 END) AS v1,
      sum(CASE WHEN version = 'unknown' THEN lines ELSE 0 END) AS unknown,
      sum(lines) AS requests
    FROM group_requests WHERE is_listed AND {{ column }} <> '' GROUP BY number, {{ column }}
    {{ "UNION ALL" if not loop.last }}
{% endfor %}
  ) AS counted
) AS ranked WHERE place_in_fact = 1 ORDER BY number, fact
