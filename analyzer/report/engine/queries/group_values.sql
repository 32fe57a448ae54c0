{# What is shown of each group: the `most` frequent values of each list, and one value of each fact,
   that with the most v1 calls. Each row is joined with the names of all: so it is one query, as
   planning takes most of the time. #}
{% set columns = {"program": "program", "launcher": "launcher", "kind": "kind", "unit": "unit",
  "place": "place", "user_agent": "agent", "deployed": "deployed", "container": "container_name",
  "image": "image", "labels": "labels", "through": "through",
  "hosts": "host", "v1_hosts": "CASE WHEN version = 'v1' THEN host END",
  "v1_places": "CASE WHEN version = 'v1' THEN place END", "paths": "path", "users": "account",
  "user_agents": "agent",
  "workloads": "CASE WHEN workload <> '' THEN workload ELSE container END"} %}
SELECT number, shown, value, requests FROM (
  SELECT number, shown, most, value, requests, row_number() OVER (PARTITION BY number, shown
    ORDER BY CASE WHEN most = 1 THEN v1 ELSE 0 END DESC,
      CASE WHEN most = 1 THEN unknown ELSE 0 END DESC, requests DESC, value) AS place
  FROM (
    SELECT number, shown, most, value, sum(lines) AS requests,
      sum(CASE WHEN version = 'v1' THEN lines ELSE 0 END) AS v1,
      sum(CASE WHEN version = 'unknown' THEN lines ELSE 0 END) AS unknown
    FROM (
      SELECT number, is_listed, version, lines, shown, most, CASE shown
{% for name, column in columns.items() %}
        WHEN '{{ name }}' THEN {{ column }}
{% endfor %}
        END AS value
      FROM group_requests CROSS JOIN (VALUES
        {% for name in columns %}('{{ name }}', {{ lists.get(name, 1) }}){{ ", " if not loop.last }}{% endfor %}

      ) AS names(shown, most)
    ) AS named WHERE value <> '' AND (is_listed OR most > 1)
    GROUP BY number, shown, most, value
  ) AS counted
) AS ranked WHERE place <= most ORDER BY number, shown, place
