"""Takes from pip's configuration files where packages are, and nothing else.

The files may also say where packages go, or what is to be installed. That is not for them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from analyzer.service_plan.lines import Line

HEEDED = frozenset({
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "cert",
    "client-cert",
    "keyring-provider",
})  # fmt: skip
_SECTIONS = frozenset({"global", "install"})


def pip_settings(listed: str, environment: Mapping[str, str]) -> list[Line]:
    """Return the variables to set, by what ``pip config list`` wrote; those that are set stay."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section not in _SECTIONS or key not in HEEDED:
            continue
        variable = f"PIP_{key.upper().replace('-', '_')}"
        words = " ".join(_text(value).split())
        if words and not environment.get(variable):
            found.setdefault(variable, words)
    lines: list[Line] = [("environment", name, value) for name, value in found.items()]
    return [*lines, ("environment", "PIP_CONFIG_FILE", "/dev/null")]


def _text(value: str) -> str:
    """Return a value that pip writes as Python would; one that is written otherwise is none."""
    try:
        text = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return ""
    return text if isinstance(text, str) else ""
