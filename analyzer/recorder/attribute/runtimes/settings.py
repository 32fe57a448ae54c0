"""Reads from the runtimes' own configuration where they keep their files."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.config import toml
from analyzer.errors import ConfigError
from analyzer.recorder.attribute.runtimes.node_files import NodeFiles
from analyzer.recorder.attribute.runtimes.told import text

_FILE_MAX = 1 << 18
_CONTAINERD = "/etc/containerd/config.toml"
# The first that is there counts (containers-storage.conf(5)).
_STORAGE = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_STORAGE_OF_USER = ".config/containers/storage.conf"


def containerd_places(files: NodeFiles) -> Iterator[tuple[str, str]]:
    """Yield containerd's directories of state and of data, if its configuration moves them."""
    found = _parsed(files, _CONTAINERD)
    state, data = _path(text(found, "state")), _path(text(found, "root"))
    if state or data:
        yield state or "/run/containerd", data or "/var/lib/containerd"


def podman_stores(files: NodeFiles) -> list[str]:
    """Return where the system's Podman and CRI-O keep containers, if it is configured."""
    for file in _STORAGE:
        found = _parsed(files, file)
        if found is not None:
            places = (_path(text(found, "storage", name)) for name in ("graphroot", "runroot"))
            return [place for place in places if place]
    return []


def podman_stores_of(files: NodeFiles, uid: int, home: str) -> list[str]:
    """Return where a user's own Podman keeps containers, if it is configured."""
    own = _path(text(_parsed(files, f"{home}/{_STORAGE_OF_USER}"), "storage", "graphroot"))
    if own:
        return [own]
    shared = next((found for file in _STORAGE if (found := _parsed(files, file))), None)
    place = text(shared, "storage", "rootless_storage_path")
    # As containers/storage expands it: the user's name is taken from the end of the home.
    words = {"$HOME": home, "$UID": str(uid), "$USER": home.rpartition("/")[2]}
    for word, value in words.items():
        place = place.replace(word, value)
    return [place] if _path(place) else []


def _parsed(files: NodeFiles, path: str) -> object:
    """Return a file's document, None if it is missing or malformed."""
    raw = files.maybe_read(path, _FILE_MAX)
    if raw is None:
        return None
    try:
        return toml.parse(path, raw.decode("utf-8", "replace"))
    except (ConfigError, ImportError):
        return None


def _path(text: str) -> str:
    return text.rstrip("/") if text.startswith("/") else ""
