"""The dashboard and the alerts on what the running analyzer exposes, through a real Prometheus."""

from __future__ import annotations

import functools

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.service import MetadataOptions
from tests.live.watch import eventually, new_marker
from tests.monitoring import dashboard, skip_without
from tests.monitoring.conftest import URL, Scene

skip_without("prometheus", "curl", "wget")

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

WITH_TOKEN = (
    f'T=$(curl -sS -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" {URL}/latest/api/token); '
    f'wget -q -O /dev/null --header "X-aws-ec2-metadata-token: $T" {URL}/latest/meta-data/'
)
V1 = ["curl", "-sS", "-o", "/dev/null", f"{URL}/latest/meta-data/"]
V2 = ["sh", "-c", WITH_TOKEN]
OTHER_CLOUD = ["sh", "-c", f"curl -sS -H 'Metadata-Flavor: Google' {URL}/computeMetadata/v1/; true"]
OPTIONAL, REQUIRED = MetadataOptions(), MetadataOptions(require_tokens=True)


def test_every_panel_has_data_and_says_what_was_sent(scene: Scene) -> None:
    """Each query of the file returns series; the figures are those of the calls."""
    prometheus = scene.prometheus
    eventually("it is scraped", lambda: prometheus.query("imds_analyzer_build_info"))
    # Prometheus has seen no counter of a caller yet: the calls after the first make it grow.
    scene.call(OPTIONAL, V1, V2, OTHER_CLOUD)
    scene.call(REQUIRED, V1, V2)
    v1 = 'imds_analyzer_requests_total{version="v1",provider="aws"}'
    eventually("the first calls are scraped", lambda: len(prometheus.query(v1)) == 2)
    scene.call(OPTIONAL, V1, V1, V2, V2, OTHER_CLOUD)
    scene.call(REQUIRED, V1, V1)
    eventually("all calls are scraped", lambda: value(scene, f"sum({v1})") == 6)

    found = {panel.panel: panel.expression for panel in dashboard.queries()}
    assert len(found) >= len(dashboard.panels())
    for panel, expression in found.items():
        query = functools.partial(prometheus.query, expression)
        eventually(f"{panel} has data: {expression}", query)
    assert value(scene, found["Programs with IMDSv1 calls A"]) == 1
    assert value(scene, found["Nodes with IMDSv1 calls A"]) == 1
    assert value(scene, found["Nodes watched A"]) == 1
    assert value(scene, found["Nodes that do not answer A"]) == 0
    assert value(scene, found["Lost events that may be calls A"]) == 0
    # Prometheus extrapolates what grew after the first value, after so few scrapes up to twice.
    assert 6 <= value(scene, found["IMDSv1 calls A"]) <= 6 + 4
    assert 3 <= value(scene, found["IMDSv1 calls rejected A"]) <= 3 + 2
    assert 0 < value(scene, found["Share of IMDSv2 A"]) < 1
    for column in "ABCD":
        (program,) = prometheus.query(found[f"IMDSv1 callers {column}"])
        assert program["metric"] == {"process": "curl"}
    versions = prometheus.query(found["Calls by version A"])
    assert {each["metric"]["version"] for each in versions} == {"v1", "v2"}
    assert len(prometheus.label_values("imds_analyzer_build_info", "instance")) == 1


def test_alerts_fire_on_real_calls(scene: Scene) -> None:
    """Nothing fires before; then each cause brings its own alert."""
    prometheus = scene.prometheus
    eventually("the rules were judged", lambda: prometheus.query("imds_analyzer_build_info"))
    scene.call(OPTIONAL, V2)
    eventually(
        "the call with a token is scraped",
        lambda: prometheus.query('imds_analyzer_requests_total{version="v2"}'),
    )
    assert prometheus.firing() == []
    scene.call(OPTIONAL, V1)
    eventually("curl is new", lambda: fires(scene, "ImdsV1NewCaller", process="curl"))
    assert not fires(scene, "ImdsV1Rejected")
    scene.call(REQUIRED, V1)
    eventually("curl is rejected", lambda: fires(scene, "ImdsV1Rejected", process="curl"))
    assert not fires(scene, "ImdsRequestsLost")
    with ImdsProcess(scene.namespace):
        scene.watch.flood(new_marker(), 2501)
    eventually("losses are told", lambda: fires(scene, "ImdsRequestsLost"))
    assert not fires(scene, "ImdsAnalyzerDown")
    scene.watch.stop()
    eventually("the end is told", lambda: fires(scene, "ImdsAnalyzerDown"))
    eventually("there is no other", lambda: fires(scene, "ImdsAnalyzerAbsent"))


def value(scene: Scene, expression: str) -> float:
    """Return the value of a query that has one; -1 without."""
    found = scene.prometheus.query(expression)
    assert len(found) <= 1
    return float(found[0]["value"][1]) if found else -1.0


def fires(scene: Scene, alert: str, **labels: str) -> bool:
    return any(
        each.name == alert and labels.items() <= each.labels.items()
        for each in scene.prometheus.firing()
    )
