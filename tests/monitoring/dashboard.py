"""Reads the dashboard's file as Grafana does: panels, their queries, the variables' values."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.monitoring import MONITORING

DASHBOARD = MONITORING / "grafana" / "imds-analyzer.json"
# Of the variables, with the values that Grafana gives them for "All" and an hour.
VARIABLES = {
    "$__rate_interval": "10s",
    "$__range": "1h",
    "$instance": ".*",
}


class PanelQuery(NamedTuple):
    """One query of a panel, with Grafana's variables replaced."""

    panel: str
    expression: str


def document() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    """Return the panels that show something."""
    return [each for each in document()["panels"] if each["type"] != "row"]


def queries() -> list[PanelQuery]:
    """Return each panel's queries."""
    return [
        PanelQuery(f"{panel['title']} {target['refId']}", _filled(target["expr"]))
        for panel in panels()
        for target in panel["targets"]
    ]


def _filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, f"a variable of Grafana's that has no value here: {expression}"
    return expression
