{# The columns of the tables. Text that a line lacks is empty. #}
{% set of_request = [
  "version", "reason", "outcome", "operation", "provider", "repeated", "forwarded",
  "token_outcome", "path", "agent", "caller", "program", "launcher", "kind", "account",
  "container", "runtime", "orchestrator", "workload", "unit", "hop_limit"] %}
{% set of_host = ["event", "host", "boot", "instance", "probe", "day_us"] %}
{% set of_mark = ["mark_us", "interval_s", "uptime_s", "lost", "lost_reason", "not_written"] %}
{# What a folded line stands for: each of these has several values there. #}
{% set of_call = ["version", "operation", "outcome"] %}
{# A line that is alike another has all of these in common, or all of those by the minute. #}
{% set of_line = ["is_ours", "damaged_file"] + of_host + of_request + of_mark %}
{% set of_minute = ["is_ours", "minute_us", "event", "provider", "version", "outcome", "repeated"] %}
{% set measured = ["lines", "first_us", "last_us", "started_us"] %}
{# What finds a group's example again. A folded line's call has another operation or outcome. #}
{% set of_example = (of_host + of_request) | reject("in", ["operation", "outcome"]) | list %}
