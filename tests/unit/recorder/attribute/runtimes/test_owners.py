"""What made a pod, by its labels and by its name."""

from __future__ import annotations

import pytest

from analyzer.recorder.attribute.runtimes.owners import UNKNOWN, Owner, owner_of, stable_name


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        ("api-7d4b9c6f5d-x2x4z", Owner("Deployment", "api")),
        ("payments-v2-5f6c9d-8b7xk", Owner("Deployment", "payments-v2")),
        ("nightly-28391040-x2x4z", Owner("CronJob", "nightly")),
        ("nightly-1612137600-x2x4z", Owner("CronJob", "nightly")),
        # One suffix alone is a DaemonSet's, a Job's or a ReplicaSet's; a number may be anything's.
        ("aws-node-x2x4z", UNKNOWN),
        ("db-0", UNKNOWN),
        ("redis-cache", UNKNOWN),
        ("kube-apiserver-ip-10-0-0-1", UNKNOWN),
        ("", UNKNOWN),
    ],
)  # fmt: skip
def test_a_name_tells_what_made_a_pod(pod: str, owner: Owner) -> None:
    assert owner_of(pod, {}) == owner


@pytest.mark.parametrize(
    ("pod", "labels", "owner"),
    [
        # A hash of few characters, and a name that looks like one.
        ("api-f5d-x2x4z", {"pod-template-hash": "f5d"}, Owner("Deployment", "api")),
        ("db-0", {"statefulset.kubernetes.io/pod-name": "db-0"}, Owner("StatefulSet", "db")),
        ("aws-node-x2x4z", {"pod-template-generation": "3"}, Owner("DaemonSet", "aws-node")),
        ("once-x2x4z", {"job-name": "once"}, Owner("Job", "once")),
        (
            "nightly-28391040-x2x4z",
            {"batch.kubernetes.io/job-name": "nightly-28391040"},
            Owner("CronJob", "nightly"),
        ),
        # Labels that were copied from elsewhere do not make a Deployment.
        ("api-x2x4z", {"pod-template-hash": "7d4b9c6f5d"}, UNKNOWN),
    ],
)
def test_labels_tell_what_made_a_pod(pod: str, labels: dict[str, str], owner: Owner) -> None:
    assert owner_of(pod, labels) == owner


@pytest.mark.parametrize(
    ("pod", "stable"),
    [
        ("api-7d4b9c6f5d-x2x4z", "api"),
        ("aws-node-x2x4z", "aws-node"),
        ("db-0", "db"),
        ("redis-cache", "redis-cache"),
        ("-x2x4z", "-x2x4z"),
    ],
)
def test_copies_of_a_pod_have_a_name_in_common(pod: str, stable: str) -> None:
    assert stable_name(pod) == stable
