"""Run from the wheel: ``python3 -I WHEEL/analyzer/service_plan STAGE OPTION...``."""

from __future__ import annotations

import sys

if not __package__:
    # In place of this folder, whose modules would hide others of the same names.
    sys.path[0] = __file__.rsplit("/", 3)[0]

from analyzer.errors import AnalyzerError
from analyzer.service_plan.stages import plan


def _no_probe() -> str:
    """Try none: what loads them is in the virtual environment."""
    return ""


if __name__ == "__main__":
    try:
        print(plan(sys.argv[1:], _no_probe))
    except AnalyzerError as error:
        raise SystemExit(f"install.sh: {error}") from None
