"""Reads the line that is shown as a caller's example."""

from __future__ import annotations

import json
import math
from typing import Any

# A line of the analyzer's has 7. Formats write examples with one call for each level.
NESTED_MAX = 50


def example_of(text: str) -> dict[str, Any]:
    """Return a line's fields, empty for one that cannot be shown.

    Engines count lines that Python does not read: nested deeply, or with numbers that are too
    large for it. Nulls are left out: in the row of a table they are what a line does not have.
    """
    try:
        example = _present(json.loads(text), NESTED_MAX)
    except (ValueError, RecursionError):
        return {}
    return example if isinstance(example, dict) else {}


def _present(value: Any, levels: int) -> Any:  # noqa: ANN401 (any JSON)
    if levels == 0 and isinstance(value, (dict, list)):
        raise ValueError("nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("no number of JSON")
    if isinstance(value, dict):
        return {
            name: _present(inner, levels - 1) for name, inner in value.items() if inner is not None
        }
    return [_present(each, levels - 1) for each in value] if isinstance(value, list) else value
