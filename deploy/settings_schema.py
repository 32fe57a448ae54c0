"""Writes the part of the chart's values schema that the analyzer's own settings decide.

Run as a program, it prints values.schema.json with that part made anew; `make schema` keeps it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analyzer.config.rules import FilePath, Number, OneOf, PowerOfTwo, Rule, Switch, Whole
from analyzer.config.settings import SECTIONS, settings
from deploy.helm import CHART

SCHEMA = CHART / "values.schema.json"
# What the chart decides by values of its own: the pod's mounts and ports go with these.
DECIDED = frozenset({"log.sink", "log.file", "metrics.prometheus"})
# The image has neither BCC nor a network of the node's: values that cannot work there.
NARROWER: dict[str, Any] = {"capture.source": {"enum": ["auto", "core"]}}


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the values below ``config``."""
    sections: dict[str, Any] = {section: {} for section in SECTIONS}
    for section, key, rule in settings():
        name = f"{section}.{key}"
        if name not in DECIDED:
            sections[section][key] = NARROWER.get(name, _schema(rule))
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            section: {"type": "object", "additionalProperties": False, "properties": keys}
            for section, keys in sections.items()
        },
    }


def _schema(rule: Rule) -> dict[str, Any]:
    """Return what a rule allows; {} for rules that only the analyzer itself can apply."""
    found: dict[str, Any] = {}
    if isinstance(rule, PowerOfTwo):  # before Whole, which it is, too
        powers = (1 << exponent for exponent in range(rule.high.bit_length()))
        found = {"enum": [power for power in powers if power >= rule.low]}
    elif isinstance(rule, Whole):
        found = {"type": "integer", "minimum": rule.low, "maximum": rule.high}
    elif isinstance(rule, Number):
        found = {"type": "number", "minimum": rule.low, "maximum": rule.high}
    elif isinstance(rule, Switch):
        found = {"type": "boolean"}
    elif isinstance(rule, OneOf):
        found = {"enum": list(rule.words)}
    elif isinstance(rule, FilePath):
        found = {"type": "string", "pattern": "^(/.*)?$" if rule.may_be_empty else "^/"}
    return found


def updated(path: Path = SCHEMA) -> str:
    """Return the schema's text with the settings' part as it is now."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["properties"]["config"] = {
        "description": "Settings of the configuration file by section and key.",
        **config_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(updated(), end="")
