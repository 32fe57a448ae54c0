{# From nested lines to flat ones. `kept` is a further column to pass through: of such lines only
   the columns of hosts and of requests are needed, and to plan others takes long.
   A line is the analyzer's own if it has all that none of its lines is without. #}
{% from "numbers.sql" import are_right, calls, right_numbers %}
{# Engines read other JSON values as their text, so this is how a wrong type is seen. #}
{% macro is_text(column) -%}
length({{ column }}) BETWEEN 1 AND {{ TEXT_MAX }}
    AND NOT regexp_matches({{ column }}, {{ NOT_TEXT | quoted }})
{%- endmacro %}
{% if not kept %}
SELECT *, coalesce(at_us >= 0 AND event <> '' AND name <> '' AND (event <> 'imds_request' OR (
  version <> '' AND reason <> '' AND operation <> '' AND provider <> ''
)) AND has_numbers, FALSE) AS is_ours,
  {# What this release does not understand, and what cannot be. #}
  CASE WHEN at_us < {{ IMDSV2_SINCE_US }} THEN 'too_early'
    WHEN repeated LIKE '?' || {{ UNIT }} || '%'
      OR repeated LIKE '%' || {{ RECORD }} || '?' || {{ UNIT }} || '%' THEN 'not_understood'
    WHEN event = 'imds_request' AND provider = 'aws' AND version IN ('v1', 'v2', 'unknown') THEN ''
    WHEN event NOT IN ({{ EVENTS | map("quoted") | join(", ") }})
      OR (event = 'imds_request' AND (version NOT IN ('v1', 'v2', 'unknown')
        OR provider NOT IN ({{ PROVIDERS | map("quoted") | join(", ") }}))) THEN 'not_understood'
    WHEN event = 'events_lost' AND lost IS NULL THEN 'unreadable_loss'
    WHEN event IN ('heartbeat', 'analyzer_stopped') AND (counted_lost IS NULL
{% for version in VERSIONS %}
      OR counted_{{ version }} IS NULL{{ ")" if loop.last }}
{% endfor %}
      THEN 'unreadable_loss'
    ELSE '' END AS odd
FROM (
{% endif %}
  SELECT {% if kept %}{{ kept }}, {% endif %}file, at_us,
    event,
    coalesce(host.name, CASE WHEN observer.probe = {{ CAPTURE_PROBE | quoted }}
      THEN {{ CAPTURE_HOST | quoted }} END, '') AS name,
    coalesce(host.boot_id, '') AS boot,
    CASE WHEN cloud.instance.id LIKE 'i-%' OR cloud.instance.id LIKE 'mi-%'
      THEN cloud.instance.id ELSE '' END AS instance,
    coalesce(observer.probe, '') AS probe,
    coalesce(imds.version, '') AS version,
    coalesce(imds.reason, '') AS reason,
    coalesce(imds.outcome, '') AS outcome,
    coalesce(imds.operation, '') AS operation,
    CASE WHEN imds.provider = 'aws' THEN 'aws' ELSE coalesce(CASE spelled
{% for spelling, provider in SPELLINGS.items() %}
      WHEN {{ spelling | quoted }} THEN {{ provider | quoted }}
{% endfor %}
      END, imds.provider, '') END AS provider,
    {# Each count as one text. In a line that is the analyzer's own each can be right. #}
    CASE WHEN imds.repeated IS NULL THEN '' ELSE coalesce(array_to_string(list_transform(imds.repeated, lambda each: replace(
      CASE WHEN each.version IN ('v1', 'v2', 'unknown') THEN each.version ELSE '?' END || {{ UNIT }}
      || replace(coalesce(each.operation, ''), {{ UNIT }}, '?') || {{ UNIT }}
      || replace(coalesce(nullif(each.outcome, 'unknown'), ''), {{ UNIT }}, '?') || {{ UNIT }}
      || CAST(coalesce(CAST({{ calls("each.count") }} AS BIGINT), 1) AS VARCHAR),
    {{ RECORD }}, '?')), {{ RECORD }}), '') END AS repeated,
    coalesce(imds.forwarded, FALSE) AS forwarded,
    coalesce(imds.sent_on, FALSE) AS sent_on,
    substr(coalesce(imds.through, ''), 1, {{ TEXT_MAX }}) AS through,
    {# What shows that the request was made for somebody else. Of addresses only those count that
       are not one's own network's. #}
    trim(coalesce(CASE WHEN length(http.request.forwarded_for) BETWEEN 2 AND 45
        AND NOT regexp_matches(http.request.forwarded_for, {{ INSIDE | quoted }})
        THEN 'for=' || http.request.forwarded_for END, '')
      || coalesce(CASE WHEN length(url.domain) BETWEEN 1 AND 262
        THEN ' host=' || url.domain END, '')
      || coalesce(' ' || array_to_string(http.request.client_headers, ' '), '')) AS relayed,
    coalesce(imds.token_request.outcome, '') AS token_outcome,
    coalesce(url.path, '') AS path,
    coalesce(user_agent.original, '') AS agent,
    CASE WHEN has_caller THEN imds.caller.key ELSE named END AS caller,
    CASE WHEN has_caller THEN imds.caller.program ELSE named END AS program,
    CASE WHEN has_caller THEN coalesce(imds.caller.launcher, '') ELSE '' END AS launcher,
    CASE WHEN has_caller THEN coalesce(imds.caller.kind, '') ELSE '' END AS kind,
    coalesce(process."user".name, process."user".id, '') AS account,
    coalesce(container.id, '') AS container,
    coalesce(container.runtime, '') AS runtime,
    coalesce(orchestrator."type", '') AS orchestrator,
    coalesce(orchestrator.resource.id, '') AS workload,
    {# What the container is called, and what deployed it. Whoever forges a line may write any text. #}
    substr(coalesce(container.name, ''), 1, {{ TEXT_MAX }}) AS container_name,
    substr(coalesce(container.image.name || coalesce(':' || nullif(container.image.tag, ''), ''),
      ''), 1, {{ TEXT_MAX }}) AS image,
    substr(coalesce(
      nullif(orchestrator.resource.parent."type", '') || ' '
        || coalesce(nullif(orchestrator.namespace, '') || '/', '')
        || nullif(orchestrator.resource.parent.name, ''),
      nullif(orchestrator.resource."type", '') || ' '
        || coalesce(nullif(orchestrator.namespace, '') || '/', '')
        || nullif(orchestrator.resource.name, ''),
      ''), 1, {{ TEXT_MAX }}) AS deployed,
    substr(coalesce(array_to_string(orchestrator.resource.label, ', '), ''), 1, {{ TEXT_MAX }})
      AS labels,
    coalesce(service.name, '') AS unit,
    CASE WHEN imds.outcome = 'success' AND imds.reason = 'token_request'
      AND imds.hop_limit BETWEEN 1 AND 255 THEN imds.hop_limit ELSE 0 END AS hop_limit,
    at_us - at_us % {{ DAY_US }} AS day_us{{ "" if kept else "," }}
{% if not kept %}
    CASE WHEN event = 'caller_evidence' AND length(CAST(code AS VARCHAR)) <= {{ CODE_MAX }}
      THEN coalesce(CAST(code AS VARCHAR), '') ELSE '' END AS code,
    CASE WHEN event = 'caller_evidence' THEN substr(executable_path, 1, {{ TEXT_MAX }})
      ELSE '' END AS executable,
    at_us - at_us % {{ MINUTE_US }} AS minute_us,
    CASE WHEN event IN ({{ MARKS | map("quoted") | join(", ") }}) THEN at_us END AS mark_us,
    CASE WHEN event IN ('heartbeat', 'capture_read')
      THEN right_interval_s END AS interval_s,
    CASE WHEN event = 'analyzer_stopped' THEN right_uptime_s END AS uptime_s,
    CASE WHEN event = 'analyzer_started' THEN booted_us END AS booted_us,
    CASE WHEN event = 'analyzer_started' AND attached.since_boot_s BETWEEN 0 AND {{ SECONDS_MAX }}
      THEN attached.since_boot_s END AS attached_s,
{% for version in VERSIONS %}
    CASE WHEN event IN ('heartbeat', 'analyzer_stopped')
      THEN right_requests_{{ version }} END AS counted_{{ version }},
{% endfor %}
    CASE WHEN event = 'events_lost' THEN right_count END AS lost,
    CASE WHEN event IN ('heartbeat', 'analyzer_stopped') THEN right_lost END AS counted_lost,
    CASE WHEN event = 'events_lost' THEN reason END AS lost_reason,
    CASE WHEN event IN ('heartbeat', 'events_lost', 'analyzer_stopped') THEN
{% for version in VERSIONS %}
      coalesce(right_not_written_{{ version }}, 0){{ " +" if not loop.last }}
{% endfor %}
    END AS not_written,
    {{ are_right() }} AS has_numbers,
    CASE WHEN service.name IS NOT NULL OR container.id IS NOT NULL THEN started_us END AS started_us
{% endif %}
  FROM (
    SELECT *,
      coalesce({{ is_text("imds.caller.key") }} AND {{ is_text("imds.caller.program") }}
        AND (coalesce(imds.caller.launcher, '') = '' OR ({{ is_text("imds.caller.launcher") }}))
        AND (coalesce(imds.caller.kind, '') = '' OR ({{ is_text("imds.caller.kind") }})), FALSE)
        AS has_caller,
      coalesce(process.executable, '') AS executable_path,
      lower(trim(imds.provider)) AS spelled,
{% if not kept %}
{{ right_numbers() }},
{% endif %}
      {# Packets name nobody, but the address that they come from. #}
      coalesce(nullif(process.executable, ''), nullif(process.name, ''),
        CASE WHEN process."user".id IS NULL THEN '(from ' || source.ip || ')' END,
        {{ UNKNOWN | quoted }}) AS named
    FROM {{ records }}
  ) AS named_lines
{% if not kept %}
) AS flat
{% endif %}
