"""Reads a configuration file and applies the flags to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple, Optional

from analyzer.config import toml
from analyzer.config.settings import RULES, SECTIONS, Config, build, conflicts
from analyzer.errors import ConfigError
from analyzer.text import visible

_SHOWN_MAX = 60

_HEADER = re.compile(r"\s*\[\s*([\w-]+)\s*\]")
_KEY = re.compile(r"\s*(?:([\w-]+)\s*\.\s*)?[\"']?([\w-]+)[\"']?\s*=")


class _Text(NamedTuple):
    """A file's text, to tell where in it something stands."""

    path: str
    text: str

    def place(self, section: str, key: Optional[str] = None) -> str:
        """Return ``PATH, line N``, or the path alone where that cannot be told."""
        current = None
        for number, line in enumerate(self.text.splitlines(), 1):
            header = _HEADER.match(line)
            if header:
                current = header[1]
                if key is None and current == section:
                    return f"{self.path}, line {number}"
            assignment = _KEY.match(line)
            if assignment and (assignment[1] or current, assignment[2]) == (section, key):
                return f"{self.path}, line {number}"
            is_above = assignment and key is None and current is None
            if assignment and is_above and section in (assignment[1], assignment[2]):
                return f"{self.path}, line {number}"
        return self.path


def load(path: Optional[str], flags: Mapping[str, object]) -> Config:
    """Return what the file says, and over it the flags, by ``section.key``.

    ``path`` None reads no file. Raises ConfigError, which names everything that is wrong.
    """
    problems: list[str] = []
    values: dict[str, object] = {}
    text = _Text("", "")
    if path is not None:
        text = _Text(path, toml.read(path))
        values = _settings_of(toml.parse(path, text.text), text, problems)
    if not problems:
        config = build({**values, **flags})
        for name, fault in conflicts(config):
            section, _, key = name.partition(".")
            given = f"{text.place(section, key)}: " if name in values else ""
            problems.append(f"{given}[{section}] {key} {fault}")
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def _settings_of(
    document: Mapping[str, object], text: _Text, problems: list[str]
) -> dict[str, object]:
    """Return the parsed settings by ``section.key``; add what is wrong to ``problems``."""
    values: dict[str, object] = {}
    for section, entries in document.items():
        if section not in SECTIONS:
            problems.append(_unknown_section(section, text))
            continue
        if not isinstance(entries, dict):
            problems.append(f"{text.place(section)}: {section} must be a section: [{section}]")
            continue
        for key, value in entries.items():
            name = f"{section}.{key}"
            if name not in RULES:
                problems.append(_unknown_key(section, key, text))
                continue
            try:
                values[name] = RULES[name].parse(value)
            except ValueError as error:
                place = text.place(section, key)
                problems.append(f"{place}: [{section}] {key} = {_shown(value)}: {error}")
    return values


def _unknown_section(section: str, text: _Text) -> str:
    homes = sorted({each for each in SECTIONS if f"{each}.{section}" in RULES})
    if homes:
        hint = f"{section} is a key of [{homes[0]}]: put it below that line"
    else:
        hint = _nearest(section, SECTIONS, "[{}]")
    return f"{text.place(section)}: there is no section [{_safe(section)}]. {hint}"


def _unknown_key(section: str, key: str, text: _Text) -> str:
    homes = [each for each in SECTIONS if f"{each}.{key}" in RULES]
    if homes:
        hint = f"{key} is a key of [{homes[0]}]: put it below that line"
    else:
        known = [name.partition(".")[2] for name in RULES if name.startswith(f"{section}.")]
        hint = _nearest(key, known, "{}")
    return f"{text.place(section, key)}: there is no key {_safe(key)} in [{section}]. {hint}"


def _nearest(name: str, known: Collection[str], form: str) -> str:
    import difflib  # noqa: PLC0415 (only where something is wrong)

    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"Do you mean {form.format(near[0])}?"
    return "Allowed are " + ", ".join(form.format(each) for each in known)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{_safe(value)}"'
    try:
        return _safe(str(value))
    except ValueError:  # a number with thousands of digits
        return "…"


def _safe(text: str) -> str:
    """Return text that was found in a file, fit for a terminal and a line."""
    printable = visible(text)
    return printable if len(printable) <= _SHOWN_MAX else f"{printable[:_SHOWN_MAX]}…"
