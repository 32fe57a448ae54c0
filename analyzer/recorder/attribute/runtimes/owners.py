"""Tells what made a pod: by its labels, else by the form of its name.

Kubernetes appends to a name what tells copies apart, out of letters and digits that make no words
(k8s.io/apimachinery/pkg/util/rand). A Deployment's pods are those of its ReplicaSet, a CronJob's
those of its Job.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from analyzer.recorder.attribute.runtimes.told import Labels

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
_POD = rf"-{_RANDOM}{{5}}\Z"
# A hash is a number of 32 bits, of which one in 4000 is written with six characters or fewer.
_DEPLOYMENT = re.compile(rf"(?P<name>.+)-{_RANDOM}{{6,10}}{_POD}")
# The minute of the run, and before Kubernetes 1.21 the second, since 1970; so until 2033.
_TIME = r"-(?:2[5-9]\d{6}|3[0-3]\d{6}|1[4-9]\d{8})"
_CRON_JOB = re.compile(rf"(?P<name>.+){_TIME}{_POD}")
_JOB_OF_CRON = re.compile(rf"(?P<name>.+){_TIME}\Z")
_COPY = re.compile(rf"(?P<name>.+?)(?:{_POD}|-\d{{1,4}}\Z)")

JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name")
HASH_LABEL = "pod-template-hash"
STATEFUL_LABEL = "statefulset.kubernetes.io/pod-name"
GENERATION_LABEL = "pod-template-generation"  # of a DaemonSet


class Owner(NamedTuple):
    """A workload resource: ``kind`` as Kubernetes writes it; both "" if nothing tells."""

    kind: str
    name: str


UNKNOWN = Owner("", "")


def owner_of(pod: str, labels: Labels) -> Owner:
    """Return what made a pod of this name; ``labels`` are the pod's, as far as they are known."""
    job = next((labels[each] for each in JOB_LABELS if labels.get(each)), "")
    if job:
        match = _JOB_OF_CRON.fullmatch(job)
        return Owner("CronJob", match["name"]) if match else Owner("Job", job)
    if labels.get(HASH_LABEL):
        name, found, _ = pod.rpartition(f"-{labels[HASH_LABEL]}-")
        if found and name:
            return Owner("Deployment", name)
    if labels.get(STATEFUL_LABEL) == pod:
        return Owner("StatefulSet", _stem(pod))
    if labels.get(GENERATION_LABEL):
        return Owner("DaemonSet", _stem(pod))
    for kind, pattern in (("CronJob", _CRON_JOB), ("Deployment", _DEPLOYMENT)):
        match = pattern.fullmatch(pod)
        if match:
            return Owner(kind, match["name"])
    return UNKNOWN


def stable_name(pod: str) -> str:
    """Return what copies of one pod have in common, whoever made it."""
    return owner_of(pod, {}).name or _stem(pod)


def _stem(pod: str) -> str:
    match = _COPY.fullmatch(pod)
    return match["name"] if match else pod
