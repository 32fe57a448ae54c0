"""A pod's call that a proxy sends on: the pod's own fix, and what the way needs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from analyzer.clients.reading import load_clients
from analyzer.report.callers import Group
from analyzer.report.diagnosis.pods import ADVICE, ADVICE_BESIDE_PROXY
from analyzer.report.diagnosis.rules import diagnose
from analyzer.report.formats.wording import deployed, facts
from analyzer.report.result import Cause, Diagnosis, Entry
from tests.unit.report_samples import old_botocore, v2_only

CLIENTS = load_clients([])


def through(way: str, made: Group) -> Group:
    """Return a pod's caller whose calls all went this way."""
    key = dataclasses.replace(made.key, through=way, deployed="Deployment payments/api")
    return dataclasses.replace(made, key=key, through=made.requests)


def said(way: str, **fields: Any) -> Diagnosis:
    return diagnose(through(way, old_botocore(place="kubernetes", **fields)), CLIENTS)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("kube2iam", "kube2iam needs 0.12.0 or later to send token requests on."),
        ("kiam", "kiam is abandoned"),
        ("Envoy", "traffic.sidecar.istio.io/excludeOutboundIPRanges: 169.254.169.254/32"),
        ("linkerd-proxy", "config.linkerd.io/skip-subnets"),
    ],
)
def test_the_cause_is_the_pods_and_the_way_is_told(way: str, words: str) -> None:
    told = said(way)
    assert told.cause is Cause.OLD_SDK
    assert any(words in each for each in told.advice)
    assert any(f"calls went through {way} on the node" in each for each in told.advice)


def test_each_proxy_of_a_way_is_told() -> None:
    told = said("Envoy, kube2iam")
    assert any("went through Envoy and kube2iam on" in each for each in told.advice)
    assert any("istio" in each for each in told.advice)
    assert "kubectl get daemonsets -A -o wide | grep kube2iam" in told.commands


def test_a_role_comes_from_the_proxy_that_gives_roles() -> None:
    """The pod does not have the node's credentials then."""
    assert ADVICE_BESIDE_PROXY.format("kube2iam") in said("Envoy, kube2iam").advice
    assert ADVICE in said("Envoy").advice
    assert ADVICE not in said("kiam").advice


def test_who_needs_no_fix_is_told_none() -> None:
    told = diagnose(through("kube2iam", v2_only()), CLIENTS)
    assert not [each for each in told.advice if "went through" in each]


def test_a_reader_sees_the_way() -> None:
    group = through("kube2iam", old_botocore(place="kubernetes"))
    assert deployed(group).endswith(", through kube2iam")
    assert f"kube2iam ({group.requests})" in dict(facts(Entry(group, said("kube2iam"))))["Through"]
