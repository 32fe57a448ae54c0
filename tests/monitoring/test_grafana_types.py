"""The dashboard fits the types that Grafana publishes: of a dashboard, and of each panel's options.

Grafana's own server is not here to load it. Its npm package @grafana/schema has the types of its
dashboards; ts-json-schema-generator makes JSON Schemas of them, which take no unknown member.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.monitoring import REQUIRED, dashboard

# Where `make test-monitoring` puts the packages.
PACKAGES = Path(os.environ.get("IMDS_ANALYZER_GRAFANA", f"{sys.prefix}/grafana")) / "node_modules"
GENERATOR = PACKAGES / ".bin" / "ts-json-schema-generator"
TYPES = PACKAGES / "@grafana" / "schema" / "dist"
OPTIONS = {
    "stat": "esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts",
    "table": "esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts",
    "timeseries": "esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts",
}
CUSTOM = {"table": "TableFieldOptions", "timeseries": "GraphFieldConfig"}

if not GENERATOR.exists() and "monitoring" not in REQUIRED:
    pytest.skip(
        f"{PACKAGES} has not Grafana's types: `make test-monitoring` installs them",
        allow_module_level=True,
    )


@functools.cache
def schema_of(path: str, name: str) -> dict[str, Any]:
    """Return the JSON Schema of a type in one of Grafana's files."""
    made = subprocess.run(
        [str(GENERATOR), "--path", str(TYPES / path), "--type", name, "--no-type-check"],
        check=True,
        capture_output=True,
    )
    schema: dict[str, Any] = json.loads(made.stdout)
    assert schema["definitions"][name]["properties"]
    return schema


def faults(schema: dict[str, Any], value: object) -> list[str]:
    validator = jsonschema.Draft7Validator(schema)
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(value)]


def of_dashboard() -> dict[str, Any]:
    return schema_of("types/raw/dashboard/x/types.gen.d.ts", "Dashboard")


def test_the_dashboard_fits() -> None:
    assert faults(of_dashboard(), dashboard.document()) == []


def test_a_member_that_grafana_does_not_know_is_a_fault() -> None:
    """The types are strict, down to a panel's members."""
    document = dashboard.document()
    document["panels"][1]["fieldConfg"] = {}
    assert faults(of_dashboard(), document)


@pytest.mark.parametrize("panel", dashboard.panels(), ids=lambda panel: str(panel["title"]))
def test_options_and_field_settings_fit(panel: dict[str, Any]) -> None:
    kind = panel["type"]
    assert faults(schema_of(OPTIONS[kind], "Options"), panel["options"]) == []
    custom = panel["fieldConfig"]["defaults"].get("custom")
    if custom is not None:
        assert faults(schema_of("types/index.d.ts", CUSTOM[kind]), custom) == []
