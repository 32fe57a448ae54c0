{# The columns of the tables. Text that a line lacks is empty. `name` is the host's name as the
   line has it; `host`, which only later tables have, is what tells hosts apart (host_keys). #}
{% set of_request = [
  "version", "reason", "outcome", "operation", "provider", "repeated", "forwarded", "relayed",
  "sent_on", "through",
  "token_outcome", "path", "agent", "caller", "program", "launcher", "kind", "account",
  "container", "runtime", "orchestrator", "workload", "container_name", "image",
  "deployed", "labels", "unit", "hop_limit"] %}
{% set of_host = ["event", "name", "boot", "instance", "probe", "day_us"] %}
{% set of_mark = [
  "mark_us", "interval_s", "uptime_s", "booted_us", "attached_s", "lost", "lost_reason",
  "not_written", "counted_v1", "counted_v2", "counted_unknown",
  "counted_lost"] %}
{# What a folded line stands for: each of these has several values there. #}
{% set of_call = ["version", "operation", "outcome"] %}
{# Of what was read of a caller's code. #}
{% set of_evidence = ["code", "executable"] %}
{# A line that is alike another has all of these in common, or all of those by the minute. #}
{% set of_line = ["is_ours", "odd", "in_window", "damaged_file"] + of_host + of_request + of_mark %}
{% set of_minute = [
  "is_ours", "odd", "in_window", "minute_us", "event", "provider", "version", "outcome", "repeated",
  "sent_on"] %}
{# Or all of these by the slice of time, in which lines are compared with what heartbeats counted. #}
{% set of_slice = ["version", "repeated", "name", "boot", "instance", "probe", "slice_us"] %}
{% set measured = ["lines", "first_us", "last_us", "started_us"] %}
{# What only listed requests need to have. #}
{% set of_listed = [
  "token_outcome", "path", "agent", "relayed", "through", "program", "account", "container", "runtime", "orchestrator",
  "workload", "container_name", "image", "deployed", "labels"] %}
{# What finds a group's example again. A folded line's call has another operation or outcome. #}
{% set of_example = (of_host + of_request) | reject("in", ["operation", "outcome"]) | list %}
