"""Whatever stands in the files of runtimes, naming ends, raises nothing, and is bounded."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.recorder.attribute.naming import RUNTIMES, TEXT_BYTES, Naming, NodeSettings
from analyzer.recorder.attribute.runtimes.bolt import Bolt, Damaged, Lookup
from analyzer.recorder.attribute.runtimes.images import reference
from analyzer.recorder.attribute.runtimes.owners import owner_of, stable_name
from analyzer.recorder.callers import Container, Workload
from analyzer.text import visible
from tests.unit.recorder.attribute.runtimes.node_directory import APP, DATA, UID, write

IN_POD = Workload("kubernetes", "pod", UID)
UID_OF_USER = 1001
CGROUP = "0::/user.slice/user-1001.slice/user@1001.service/app.slice/x.scope"
# Where the runtimes look, rootful and rootless.
FILES = (
    f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{APP}/config.json",
    "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db",
    f"run/containers/storage/overlay-containers/{APP}/userdata/config.json",
    f"var/lib/docker/containers/{APP}/config.v2.json",
    "etc/docker/daemon.json",
    "var/lib/containers/storage/libpod/bolt_state.db",
    "var/lib/containers/storage/db.sql",
    "var/lib/containers/storage/overlay-containers/containers.json",
    "var/lib/kubelet/kubeconfig",
    "etc/ecs/ecs.config",
    f"home/app/.local/share/docker/containers/{APP}/config.v2.json",
    "home/app/.local/share/containers/storage/libpod/bolt_state.db",
    "home/app/.local/share/containerd/io.containerd.metadata.v1.bolt/meta.db",
)
NAMES = st.sampled_from(
    (
        *("ID", "Name", "Config", "Image", "Labels", "annotations", "id", "metadata", "labels"),
        *("io.kubernetes.cri.sandbox-name", "io.kubernetes.cri.image-name"),
        *("io.kubernetes.cri-o.ContainerID", "io.kubernetes.cri-o.Labels", "data-root"),
        *("io.kubernetes.pod.name", "io.kubernetes.pod.uid", "com.docker.compose.project"),
        *("com.docker.compose.service", "com.amazonaws.ecs.task-definition-family"),
    )
)
TEXTS = st.one_of(st.text(max_size=400), st.just(APP), st.just("{}"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(TEXTS, st.none(), st.integers(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=8)),
    max_leaves=20,
)
DATABASES = tuple(
    gzip.decompress((DATA / f"{name}.gz").read_bytes())
    for name in ("containerd-1.6.meta.db", "podman-4.3.bolt_state.db")
)


def _damaged(raw: bytes, changes: list[tuple[int, int]], size: int) -> bytes:
    changed = bytearray(raw)
    for at, byte in changes:
        changed[at % len(changed)] = byte
    return bytes(changed[: size % (len(changed) + 1)]) if size else bytes(changed)


# Behind the meta pages, whose checksums would give every change away.
CHANGES = st.lists(st.tuples(st.integers(8192, 1 << 20), st.integers(0, 255)), max_size=40)
CONTENT = st.one_of(
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=400),
    st.builds(_damaged, st.sampled_from(DATABASES), CHANGES, st.sampled_from((0, 0, 5000, 70_000))),
    st.just(b"[" * 100_000),
    st.just(b'{"ID":' * 50_000),
)


@given(
    st.dictionaries(st.sampled_from(FILES), CONTENT, max_size=5),
    st.sampled_from((None, *(runtime.name for runtime in RUNTIMES))),
    st.booleans(),
)
def test_naming_raises_nothing_and_bounds_every_name(
    files: dict[str, bytes], runtime: str | None, is_users: bool
) -> None:
    with tempfile.TemporaryDirectory() as node:
        write(Path(node) / "etc/passwd", b"app:x:1001:1001::/home/app:/bin/sh\n")
        for path, content in files.items():
            write(Path(node) / path, content)
        naming = Naming(NodeSettings(labels=("team",), root=node))
        container, workload = naming.named(
            Container(APP, runtime), IN_POD, CGROUP if is_users else "", 0.0
        )
    assert container is not None
    assert workload is not None
    assert (container.id, workload[:3]) == (APP, IN_POD[:3])
    for text in (*container[2:], *workload[3:-1], *workload.labels):
        assert len(text.encode()) <= TEXT_BYTES
        assert text == visible(text)


@pytest.mark.parametrize("kind", ["fifo", "directory", "loop", "device", "huge"])
def test_a_file_that_is_none_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"var/lib/docker/containers/{APP}/config.v2.json"
    path.parent.mkdir(parents=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)  # a hole: takes no room
    naming = Naming(NodeSettings(root=str(tmp_path)))
    assert naming.named(Container(APP, "docker"), None, "", 0.0)[0] == Container(APP, "docker")


@given(CHANGES, st.sampled_from(DATABASES))
def test_a_damaged_database_is_told_or_read(changes: list[tuple[int, int]], raw: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(_damaged(raw, changes, 0))
        file.flush()
        try:
            _read_all(file)
        except Damaged:
            return


def _read_all(file: BinaryIO) -> None:
    for database in Lookup(file):
        for name, _ in database.items(database.root()):
            bucket = database.maybe_bucket(database.root(), name)
            for key, _ in database.items(bucket):
                inner = database.maybe_bucket(bucket, key)
                database.maybe_value(inner, b"config")


def test_a_database_that_is_written_to_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "meta.db"
    path.write_bytes(DATABASES[0])
    with path.open("r+b") as file:
        tries = 0
        for database in Lookup(file):
            tries += 1
            newest = Bolt(file).root()
            assert database.root() == newest
            if tries == 1:  # the owner's next state: the older of both meta pages is written anew
                _commit(file)
        assert tries == 2


def _commit(file: BinaryIO) -> None:
    from analyzer.recorder.attribute.runtimes import bolt  # noqa: PLC0415 (its own layout)

    metas = []
    for page in (0, 1):
        raw = os.pread(file.fileno(), bolt._META.size, page * 4096 + bolt._PAGE.size)
        metas.append((bolt._META.unpack(raw), page))
    (newest, _), (_, older) = sorted(metas, key=lambda meta: -meta[0][8])
    summed = bolt._META.pack(*newest[:8], newest[8] + 1, 0)[: bolt._META_SUMMED]
    whole = summed + bolt._fnv(summed).to_bytes(8, "little")
    os.pwrite(file.fileno(), whole, older * 4096 + bolt._PAGE.size)


@given(st.text(max_size=60))
def test_any_text_is_taken_apart(text: str) -> None:
    found = reference(text)
    assert "@" not in found.name + found.tag
    assert stable_name(text) in text
    assert owner_of(text, {}).name in text
