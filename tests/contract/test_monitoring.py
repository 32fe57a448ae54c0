"""Dashboard and alerts use metrics that exist, and docs/monitoring.md explains each of them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from analyzer.logline.fields import OUTCOMES
from analyzer.recorder.records import Outcome, Response
from analyzer.recorder.source_events import Lost
from tests.metrics import Bench
from tests.monitoring import MONITORING, REPOSITORY, dashboard
from tests.unit.recorder.sinks.test_jsonl import RECORD

RULES = (MONITORING / "prometheus" / "imds-analyzer.rules.yml").read_text("utf-8")
GUIDE = (REPOSITORY / "docs" / "monitoring.md").read_text("utf-8")
RUNBOOKS = re.findall(r"runbook: docs/monitoring\.md#(\S+)", RULES)
ALERTS = re.findall(r"- alert: (\w+)", RULES)
METRIC = re.compile(r"\bimds_analyzer_\w+")


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the labels of each metric that the analyzer exposes."""
    bench = Bench(tmp_path_factory.mktemp("bench") / "log")
    textfile = bench.log_path.parent / "imds.prom"
    metrics = bench.start(textfile=str(textfile))
    metrics.request(RECORD._replace(response=Response(Outcome.SUCCESS, 200)))
    metrics.lost(Lost(3, 0, "ring_buffer_full"))
    metrics._due = 0.0
    metrics.tick(0, 0)
    text = textfile.read_text("utf-8")
    bench.close()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(imds_analyzer_\w+)(?:\{(.*)\})? ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def texts() -> dict[str, str]:
    """Return each expression, as the dashboard and the rules have it."""
    expressions = {each.panel: each.expression for each in dashboard.queries()}
    return {**expressions, "rules": RULES}


def test_every_metric_that_is_asked_for_is_exposed(exposed: dict[str, set[str]]) -> None:
    for where, text in texts().items():
        missing = set(METRIC.findall(text)) - set(exposed)
        # A recorded metric has a colon in its name, and is the rules' own.
        missing -= {name.partition(":")[0] for name in re.findall(r"imds_analyzer:\w+", text)}
        assert not missing, where


def test_every_label_that_is_selected_by_is_exposed(exposed: dict[str, set[str]]) -> None:
    """Beside what Prometheus adds itself."""
    for where, text in texts().items():
        for name, selector in re.findall(r"\b(imds_analyzer_\w+)\{([^}]*)\}", text):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector))
            assert labels <= exposed[name] | {"instance", "job", "node"}, (where, selector)


def test_selected_outcomes_exist() -> None:
    selected = {each for text in texts().values() for each in re.findall(r'outcome="(\w+)"', text)}
    assert selected
    assert selected <= set(OUTCOMES)


def test_every_metric_is_explained(exposed: dict[str, set[str]]) -> None:
    """The guide's table of metrics is whole, and has no other."""
    explained = set(METRIC.findall(GUIDE))
    own = {name for name in exposed if not name.startswith("imds_analyzer_process_")}
    assert own <= explained
    assert explained <= set(exposed)


@pytest.mark.parametrize("alert", sorted(set(ALERTS)))
def test_every_alert_has_its_chapter(alert: str) -> None:
    assert f"\n### {alert}\n" in GUIDE
    assert alert.lower() in RUNBOOKS


def test_no_runbook_leads_nowhere() -> None:
    assert sorted(RUNBOOKS) == sorted(each.lower() for each in ALERTS)


@pytest.mark.parametrize("panel", dashboard.panels(), ids=lambda panel: str(panel["title"]))
def test_every_panel_is_explained(panel: dict[str, Any]) -> None:
    """In the panel itself, and in the guide."""
    assert panel["description"]
    assert f"| {panel['title']} |" in GUIDE
    assert panel["targets"]


def test_panels_have_a_place_and_a_number_of_their_own() -> None:
    """Grafana would move or drop others."""
    every = dashboard.document()["panels"]
    assert len({each["id"] for each in every}) == len(every)
    for one, other in itertools.combinations([each["gridPos"] for each in every], 2):
        is_apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_apart_x or is_apart_y, (one, other)
    assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in every)


def test_no_address_of_anybody_is_in_the_files() -> None:
    """What is not the reader's own: a datasource's id, a node's name."""
    for path in Path(MONITORING).rglob("*.json"):
        assert not re.search(r'"uid": "(?!\$\{datasource\}"|imds-analyzer")', path.read_text())


def test_vectors_templates_begin_with_text() -> None:
    """Since 0.57 its sinks refuse others at the start: upgrade guide, "Template confinement"."""
    text = (MONITORING / "vector" / "imds-analyzer.yaml").read_text("utf-8")
    templates = re.findall(r'(?m)^ +\w+: "?([^"\n]*\{\{[^"\n]*)', text)
    assert templates
    assert not [each for each in templates if each.startswith("{{")]
