"""Lays out the files of runtimes below a directory, as they stand on a node."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

DATA = Path(__file__).parent / "data"
APP, SANDBOX = "3f1c" * 16, "90de" * 16
UID = "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"
POD = "api-7d4b9c6f5d-x2x4z"
IMAGE = "registry.example/payments/api:1.4"


def write(path: Path, content: object) -> None:
    """Write a file: bytes as they are, else JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def unpack(name: str, path: Path) -> None:
    """Write a recorded database."""
    write(path, gzip.decompress((DATA / f"{name}.gz").read_bytes()))


def write_containerd_task(
    node: Path, identity: str = APP, namespace: str = "k8s.io", **annotations: str
) -> Path:
    """Write a task's OCI configuration with the annotations of the CRI plugin."""
    notes = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.image-name": IMAGE,
        "io.kubernetes.cri.sandbox-id": SANDBOX,
        "io.kubernetes.cri.sandbox-name": POD,
        "io.kubernetes.cri.sandbox-namespace": "payments",
        "io.kubernetes.cri.sandbox-uid": UID,
    }
    notes = annotations or notes
    tasks = node / "run/containerd/io.containerd.runtime.v2.task"
    path = tasks / namespace / identity / "config.json"
    process = {"args": ["app"], "env": ["SECRET=hunter2"]}
    write(path, {"ociVersion": "1.0.2", "process": process, "annotations": notes})
    return path


def write_crio(node: Path, identity: str, **annotations: str) -> None:
    """Write the OCI configuration of a container or a sandbox of CRI-O."""
    storage = node / "run/containers/storage/overlay-containers"
    path = storage / identity / "userdata/config.json"
    notes = {f"io.kubernetes.cri-o.{name}": value for name, value in annotations.items()}
    write(path, {"annotations": {"io.kubernetes.cri-o.ContainerID": identity, **notes}})


def write_docker(
    node: Path, identity: str, name: str, labels: dict[str, str], image: str = IMAGE
) -> None:
    """Write Docker's configuration of a container."""
    config = {"Image": image, "Labels": labels, "Env": ["AWS_SECRET_ACCESS_KEY=abc"]}
    path = node / f"var/lib/docker/containers/{identity}/config.v2.json"
    write(path, {"ID": identity, "Name": f"/{name}", "Config": config})


def write_passwd(node: Path, uid: int, home: str) -> None:
    """Write the node's list of users."""
    write(
        node / "etc/passwd",
        f"root:x:0:0::/root:/bin/sh\nu:x:{uid}:{uid}::{home}:/bin/sh\n".encode(),
    )


def write_moby_bundle(path: Path, data: str, identity: str) -> None:
    """Write an OCI configuration of Docker's: it mounts files of the container's own."""
    mounts = [
        {"destination": "/proc", "source": "proc"},
        {"destination": "/etc/hosts", "source": f"{data}/containers/{identity}/hosts"},
    ]
    write(path / "config.json", {"ociVersion": "1.0.2", "mounts": mounts})
