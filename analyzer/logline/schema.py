"""Makes the JSON Schema of every line from the declared fields.

``make schema`` writes it to schema.json, which is shipped and which ``imds-analyzer log-schema``
prints. A test holds the file to the declarations.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, Optional

from analyzer.logline.described import Field, Kind, fields_of, fields_of_line
from analyzer.logline.events import EVENTS, REQUEST

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

# An event that is longer than a line may be loses whole fields, the largest first.
_IS_CUT = {"required": ["log"], "properties": {"log": {"required": ["truncated"]}}}
# Of a line that is cut, these stay.
_ALWAYS = ("timestamp", "level", "event", "observer")


def schema() -> Schema:
    """Return the schema; each event's line stands in ``$defs`` by the event's name."""
    definitions: dict[str, Schema] = {event: _line(event) for event in EVENTS}
    for event in EVENTS:
        _define(fields_of_line(event), definitions)
    return {
        "$schema": DIALECT,
        "title": "A line of imds-analyzer's log",
        "description": "One JSON object. See docs/log-format.md.",
        "type": "object",
        "required": ["event"],
        "properties": {"event": {"enum": list(EVENTS)}},
        # Not oneOf: a validator then names the fault of a line, not 21 events that it is not.
        "allOf": [
            {
                "if": {"properties": {"event": {"const": event}}},
                "then": {"$ref": f"#/$defs/{event}"},
            }
            for event in EVENTS
        ],
        "$defs": definitions,
    }


def text() -> str:
    """Return the schema as schema.json has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _line(event: str) -> Schema:
    fields = fields_of_line(event)
    line = _object(EVENTS[event].meaning, fields)
    line["properties"]["level"]["enum"] = list(EVENTS[event].levels)
    line["properties"]["event"]["const"] = event
    is_of_log = event.startswith("log_")
    line["properties"]["log"].update(_of_file(is_of_log=is_of_log))
    if is_of_log:
        line["required"].append("log")
    if event != REQUEST:
        line["if"] = _IS_CUT
        line["else"] = {"required": [name for name in line["required"] if name not in _ALWAYS]}
        line["required"] = list(_ALWAYS)
    return line


def _of_file(*, is_of_log: bool) -> Schema:
    has_file = {"required": ["file"]}
    return has_file if is_of_log else {"not": has_file}


def _define(fields: Iterable[Field], definitions: dict[str, Schema]) -> None:
    for field in fields:
        declared = _declared(field.kind)
        if declared is not None and declared.__name__ not in definitions:
            members = fields_of(declared)
            definitions[declared.__name__] = _object(declared.__doc__ or "", members)
            _define(members, definitions)


def _declared(kind: Kind) -> Optional[type]:
    return kind.declared if kind.of is None else _declared(kind.of)


def _object(description: str, fields: Iterable[Field]) -> Schema:
    fields = tuple(fields)
    required = [field.name for field in fields if not field.fact.absent]
    return {
        "description": description,
        "type": "object",
        "properties": {field.name: _member(field) for field in fields},
        **({"required": required} if required else {"minProperties": 1}),
        "additionalProperties": False,
    }


def _member(field: Field) -> Schema:
    kind, (meaning, absent, rule) = field.kind, field.fact
    described = {"description": f"{meaning} Left out {absent}." if absent else meaning}
    if kind.of is None:
        return {**described, **_type(kind), **rule}
    found = {**described, **_type(kind), **rule}
    if "items" in rule:
        found["items"] = {**_type(kind.of), **rule["items"]}  # type: ignore[dict-item]
    return found


def _type(kind: Kind) -> Schema:
    if kind.declared is not None:
        return {"$ref": f"#/$defs/{kind.declared.__name__}"}
    if kind.of is not None:
        return {"type": "array", "items": _type(kind.of)}
    return {"type": kind.name}


if __name__ == "__main__":
    sys.stdout.write(text())
