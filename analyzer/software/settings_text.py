"""Finds the settings that make a program call the address which they name.

Nothing in such a line is a command, so a table says which setting of which program is a call.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional


class _Setting(NamedTuple):
    """A setting: the line, up to the address, and what must be elsewhere in the file."""

    program: str
    line: re.Pattern[str]
    file: Optional[re.Pattern[str]] = None


_URL = r"[\"']?(?:https?://)?\[?$"
_SETTINGS = (
    # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass
    _Setting("nginx", re.compile(rf"\bproxy_pass\s+{_URL}")),
    # https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxypass
    _Setting("Apache", re.compile(rf"\bProxyPass(?:Match)?\s+(?:\S+\s+)?{_URL}", re.IGNORECASE)),
    # Upstream servers of nginx, and backends of HAProxy.
    _Setting(
        "proxy",
        re.compile(r"^\s*server\s+(?:[\w.-]+\s+)?\[?$"),
        re.compile(r"^[ \t]*(?:upstream\s+\S+\s*\{|backend\s|listen\s)", re.MULTILINE),
    ),
    # https://docs.ansible.com/ansible/latest/collections/ansible/builtin/uri_module.html
    _Setting(
        "Ansible",
        re.compile(rf"\burl\s*[:=]\s*{_URL}"),
        re.compile(r"^[ \t]*(?:-[ \t]+)?(?:ansible\.builtin\.)?(?:uri|get_url):", re.MULTILINE),
    ),
    # https://www.elastic.co/guide/en/logstash/current/plugins-inputs-http_poller.html
    _Setting(
        "Logstash",
        re.compile(rf"=>\s*{_URL}"),
        re.compile(r"^[ \t]*http_poller\s*\{", re.MULTILINE),
    ),
    # https://docs.influxdata.com/telegraf/v1/input-plugins/http/
    _Setting(
        "Telegraf",
        re.compile(rf"^\s*urls?\s*=\s*\[?\s*{_URL}"),
        re.compile(r"^[ \t]*\[\[\s*inputs\.http(?:_response)?\s*\]\]", re.MULTILINE),
    ),
)
# A setting whose value is a whole URL of the metadata: a program is told what to ask. That the
# SDKs are told the host alone is no such setting: they add tokens by themselves.
_KEY = re.compile(
    r"\s*(?:-\s+)?(?:export\s+|ENV\s+|set\s+|Environment\s*=\s*)?[\"']?[\w.\-/]+[\"']?"
    r"\s*(?:[:=]\s*|\s)[\"']?(?:https?://)?\[?$"
)
_VALUE = re.compile(
    r"[^\s/\"']+/(?:latest|1\.0|20\d\d-\d\d-\d\d)/(?:meta-data|user-data|dynamic)[^\s\"'$`|;]*[\"']?\s*[,;]?\s*$"
)
_TOLD = re.compile(r"\s*(?:-\s+)?(?:export\s|ENV\s)")


def is_setting(line: str, address_at: int, *, is_script: bool) -> bool:
    """Tell whether a line tells a program a URL; in a script, by the environment."""
    if _KEY.fullmatch(line[:address_at]) is None or _VALUE.match(line, address_at) is None:
        return False
    return not is_script or _TOLD.match(line) is not None


def is_call(line: str, address_at: int, text: str) -> bool:
    """Tell whether a line of the file ``text`` makes a program call the address in it."""
    before = line[:address_at]
    return any(
        each.line.search(before) is not None
        and (each.file is None or each.file.search(text) is not None)
        for each in _SETTINGS
    )
