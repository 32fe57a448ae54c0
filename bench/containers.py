"""What naming containers costs: a request of a named one, and the first request of each."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from analyzer.recorder.attribute import Attributor
from analyzer.recorder.attribute.naming import Naming, NodeSettings
from analyzer.recorder.callers import Container, Workload
from analyzer.recorder.source_events import Snapshot
from bench.figure import CannotMeasureError, Row, show
from bench.profile import captured_snapshots
from tests.cgroups import made_cgroup, maybe_hierarchy

CONTAINERS = 500
ROUNDS = 5
IDENTITY, UID = "3f1c" * 16, "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"
PLACE = f"kubepods/besteffort/pod{UID}/{IDENTITY}"
# Both have the same events and the same cgroup; the second finds names.
NO_NODE = "/proc/self/fdinfo"  # a directory without any of the files


def main(argv: Sequence[str]) -> None:
    """Attribute the same events with and without names, then name containers."""
    parser = argparse.ArgumentParser(prog="python -m bench containers", description=__doc__)
    parser.add_argument("--probe", default="core/auto")
    given = parser.parse_args(argv)
    hierarchy = maybe_hierarchy()
    if hierarchy is None:
        raise CannotMeasureError("no unified cgroup hierarchy is mounted: mount one (cgroup2)")
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as name, made_cgroup(hierarchy) as made:
        directory = Path(name)
        snapshots = captured_snapshots(given.probe, directory)
        cgroup = made / PLACE
        cgroup.mkdir(parents=True)
        placed = [each._replace(cgroup_id=cgroup.stat().st_ino) for each in snapshots]
        node = directory / "node"
        for number in range(CONTAINERS):
            _write(node, f"{number + 1:064x}")
        _write(node, IDENTITY)
        nowhere, unnamed, named = _least_us((snapshots, placed, placed), ("", NO_NODE, str(node)))
        first_us = _first_us(node)
    rows = [
        Row("outside of containers", f"{nowhere:6.2f} us a request"),
        Row("in a container without names", f"{unnamed:6.2f} us a request"),
        Row("in a container with names", f"{named:6.2f} us a request", "as without"),
        Row("first request of a container", f"{first_us:6.0f} us more"),
    ]
    title = f"Containers: CPU time of attribution, least of {ROUNDS} rounds"
    show("containers", title, rows, argv)


def _least_us(events: Sequence[list[Snapshot]], nodes: Sequence[str]) -> list[float]:
    """Return CPU microseconds a request of each kind; the kinds take turns in each round."""
    least = [float("inf")] * len(events)
    for _ in range(ROUNDS):
        for kind, (snapshots, node) in enumerate(zip(events, nodes)):
            attributor = Attributor(node=NodeSettings(root=node))
            attributor.attribute(snapshots[0])
            began = time.process_time()
            for snapshot in snapshots:
                attributor.attribute(snapshot)
            took = (time.process_time() - began) * 1e6 / len(snapshots)
            least[kind] = min(least[kind], took)
    return least


def _first_us(node: Path) -> float:
    """Return CPU microseconds that a container takes to be named. Raises if one has no name."""
    naming = Naming(NodeSettings(root=str(node)))
    pod = Workload("kubernetes", "pod", UID)
    began = time.process_time()
    for number in range(CONTAINERS):
        container, _ = naming.named(Container(f"{number + 1:064x}", None), pod, "", 0.0)
        if container is None or container.name != "app":
            raise CannotMeasureError(f"container {number + 1} has no name")
    return (time.process_time() - began) * 1e6 / CONTAINERS


def _write(node: Path, identity: str) -> None:
    """Write what containerd leaves of a container."""
    notes = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.image-name": "registry.example/payments/api:1.4",
        "io.kubernetes.cri.sandbox-name": "api-7d4b9c6f5d-x2x4z",
        "io.kubernetes.cri.sandbox-namespace": "payments",
        "io.kubernetes.cri.sandbox-uid": UID,
    }
    # As much as a configuration has: mounts, the seccomp profile, environment.
    rest = [f"call_{number}" for number in range(1000)]
    path = node / "run/containerd/io.containerd.runtime.v2.task/k8s.io" / identity / "config.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"ociVersion": "1.0.2", "rest": rest, "annotations": notes}))
