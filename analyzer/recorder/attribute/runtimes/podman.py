"""Reads what Podman keeps of a container: its own database, else the list of its storage.

Podman before 5 keeps a bbolt database, later ones SQLite. Both hold the container's configuration
as JSON. The storage's list has the name and the image of containers, and no labels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Optional

from analyzer.recorder.attribute.runtimes.bolt import Damaged, Lookup
from analyzer.recorder.attribute.runtimes.node_files import LIST_MAX, NodeFiles, parsed
from analyzer.recorder.attribute.runtimes.settings import podman_stores, podman_stores_of
from analyzer.recorder.attribute.runtimes.told import (
    NO_LABELS,
    Asked,
    Labels,
    Told,
    text,
    texts,
)
from analyzer.software.managers import sqlite

_STORES = ("/var/lib/containers/storage", "/run/containers/storage")
_OF_USER = ".local/share/containers/storage"
_LISTS = ("containers.json", "volatile-containers.json")
# Columns of the tables ContainerConfig and PodConfig (libpod/sqlite_state_internal.go).
_ROWS_MAX = 8192


class Podman:
    """Podman, rootful and rootless."""

    name = "podman"

    def maybe_told(self, files: NodeFiles, asked: Asked) -> Optional[Told]:
        """Return what Podman tells of a container."""
        for store in _stores(files, asked):
            told = self._maybe_configured(files, store, asked.id)
            told = told or self._maybe_listed(files, store, asked.id)
            if told is not None:
                return told
        return None

    def pod_labels(self, files: NodeFiles, told: Told) -> Labels:
        """Return the labels of the pod."""
        del files
        return told.pod_labels

    def _maybe_configured(self, files: NodeFiles, store: str, identity: str) -> Optional[Told]:
        found = maybe_config(files, store, "container", identity)
        if text(found, "name") == "" or not isinstance(found, dict):
            return None
        labels, pod = texts(found.get("labels")), text(found, "pod")
        of_pod = maybe_config(files, store, "pod", pod) if pod else None
        return Told(
            self.name,
            text(found, "name"),
            text(found, "rootfsImageName"),
            labels,
            sandbox=pod,
            pod=text(of_pod, "name"),
            pod_labels=texts(of_pod.get("labels")) if isinstance(of_pod, dict) else NO_LABELS,
        )

    def _maybe_listed(self, files: NodeFiles, store: str, identity: str) -> Optional[Told]:
        for name in _LISTS:
            found = files.maybe_json(f"{store}/overlay-containers/{name}", LIST_MAX)
            for container in found if isinstance(found, list) else ():
                if text(container, "id") == identity:
                    kept = parsed(text(container, "metadata").encode())
                    return Told(self.name, text(kept, "name"), text(kept, "image-name"))
        return None


def maybe_config(files: NodeFiles, store: str, kind: str, identity: str) -> object:
    """Return the configuration of a ``container`` or a ``pod`` from Podman's database."""
    found = _in_bolt(files, f"{store}/libpod/bolt_state.db", kind, identity)
    return _in_sqlite(files, f"{store}/db.sql", kind, identity) if found is None else found


def _in_bolt(files: NodeFiles, path: str, kind: str, identity: str) -> object:
    file = files.maybe_open(path)
    if file is None:
        return None
    raw: Optional[bytes] = None
    bucket = {"container": b"ctr", "pod": b"pod"}[kind]
    try:
        with file:
            for database in Lookup(file):
                found = database.maybe_bucket(database.root(), bucket, identity.encode())
                raw = database.maybe_value(found, b"config")
    except (OSError, Damaged):
        return None
    return None if raw is None else parsed(raw)


def _in_sqlite(files: NodeFiles, path: str, kind: str, identity: str) -> object:
    file = files.maybe_open(path)
    if file is None:
        return None
    table = {"container": "ContainerConfig", "pod": "PodConfig"}[kind]
    with file, contextlib.suppress(OSError, ValueError, IndexError, RecursionError):
        database = sqlite.Database(file)
        root = database.roots().get(table)
        if root is not None:
            for _, (_, row) in zip(range(_ROWS_MAX), database.rows(root)):
                # Its id comes first, its configuration last.
                if row and row[0] == identity and isinstance(row[-1], str):
                    return parsed(row[-1].encode())
    return None


def _stores(files: NodeFiles, asked: Asked) -> Iterator[str]:
    if asked.bundle:
        # STORE/overlay-containers/ID/userdata
        yield from asked.bundle.rsplit("/", 3)[:1]
        return
    if asked.uid is None:
        yield from dict.fromkeys((*_STORES, *podman_stores(files)))
        return
    home = files.maybe_home(asked.uid)
    if home is not None:
        yield from dict.fromkeys((f"{home}/{_OF_USER}", *podman_stores_of(files, asked.uid, home)))
