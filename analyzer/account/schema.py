"""Makes the JSON Schema of a snapshot of accounts from its classes.

``make schema`` writes it to schema.json, which is shipped and which ``imds-analyzer audit
--schema`` prints. A test holds the file to the classes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, get_type_hints

from analyzer.account import model
from analyzer.account.model import FORMAT, Snapshot

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PATH = Path(__file__).with_name("schema.json")

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the schema: the snapshot, with every class in ``$defs`` by its name."""
    import msgspec  # noqa: PLC0415 (an extra)

    ((top,), definitions) = msgspec.json.schema_components(
        [Snapshot], ref_template="#/$defs/{name}"
    )
    # A later version may add fields: a reader ignores what it does not know.
    definitions["Snapshot"]["properties"]["format"] = {"const": FORMAT}
    definitions["Snapshot"]["required"].append("format")
    for name, definition in definitions.items():
        _add_times(getattr(model, name), definition)
    return {
        "$schema": DIALECT,
        "title": "A snapshot of AWS accounts, made by imds-analyzer audit",
        **top,
        "$defs": definitions,
    }


def _add_times(declared: type, definition: Schema) -> None:
    """Say which texts are times; msgspec leaves that out."""
    if not dataclasses.is_dataclass(declared):
        return
    for name, hint in get_type_hints(declared).items():
        if "datetime.datetime" in str(hint):
            found = definition["properties"][name]
            for kind in found.get("anyOf", [found]):
                if kind.get("type") == "string":
                    kind["format"] = "date-time"


def text() -> str:
    """Return the schema as schema.json has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
