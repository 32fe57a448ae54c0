"""Names the package of a path that holds the package's name: snaps, gems, node_modules, pip."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Optional

from analyzer.software.found import Package
from analyzer.software.root import Root

_BYTES_MAX = 256 << 10
_RECORD_BYTES_MAX = 4 << 20
_DISTRIBUTIONS_MAX = 2048

_SNAP = re.compile(r"/snap/([^/]+)/[^/]+(?=/)")
_GEM = re.compile(r"/gems/([A-Za-z0-9_.-]+?)-(\d+(?:\.\w+)+(?:-[a-z]\w*)*)/")
_MODULE = re.compile(r".*/node_modules/(?:@[^/]+/)?[^/@.][^/]*(?=/)")
_SITE = re.compile(r"(.*/(?:site|dist)-packages)/(.+)")
_SCRIPT = re.compile(r"(.*)/bin/([^/]+)")
_YAML = re.compile(r"^version:\s*['\"]?([^'\"\n#]+)", re.MULTILINE)


def owners(root: Root, paths: Sequence[str]) -> Iterator[Package]:
    """Yield the package of each path that one owns."""
    for path in paths:
        for maybe in (_maybe_snap, _maybe_gem, _maybe_module, _maybe_distribution):
            found = maybe(root, path)
            if found is not None:
                yield found
                break


def _maybe_snap(root: Root, path: str) -> Optional[Package]:
    match = _SNAP.match(path)
    if match is None:
        return None
    text = root.maybe_text(f"{match[0]}/meta/snap.yaml", _BYTES_MAX)
    version = _YAML.search(text)
    return Package("snap", match[1], version[1].strip() if version else "", path)


def _maybe_gem(_root: Root, path: str) -> Optional[Package]:
    match = _GEM.search(path)
    return None if match is None else Package("gem", match[1], match[2], path)


def _maybe_module(root: Root, path: str) -> Optional[Package]:
    match = _MODULE.match(path)
    if match is None:
        return None
    try:
        told = json.loads(root.maybe_text(f"{match[0]}/package.json", _BYTES_MAX) or "{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        return None
    author = told.get("author")
    vendor = author.get("name") if isinstance(author, dict) else author
    version = told.get("version")
    return Package(
        "npm",
        told["name"],
        version if isinstance(version, str) else "",
        path,
        vendor if isinstance(vendor, str) else "",
    )


def _maybe_distribution(root: Root, path: str) -> Optional[Package]:
    """Return the Python distribution whose RECORD has the file."""
    for site, relative in _sites(root, path):
        line = b"\n" + relative.encode("utf-8", "surrogateescape") + b","
        for name in root.maybe_names(site)[:_DISTRIBUTIONS_MAX]:
            if not name.endswith(".dist-info"):
                continue
            try:
                record = root.read(f"{site}/{name}/RECORD", _RECORD_BYTES_MAX)
            except OSError:
                continue
            if line in b"\n" + record:
                plain, _, version = name[: -len(".dist-info")].partition("-")
                return Package("pip", plain.replace("_", "-"), version, path)
    return None


def _sites(root: Root, path: str) -> Iterator[tuple[str, str]]:
    """Yield the folders whose distributions may have the file, and its name in their RECORD."""
    match = _SITE.fullmatch(path)
    if match is not None:
        yield match[1], match[2]
        return
    match = _SCRIPT.fullmatch(path)
    if match is None:
        return
    for name in root.maybe_names(f"{match[1]}/lib"):
        if name.startswith("python"):
            yield f"{match[1]}/lib/{name}/site-packages", f"../../../bin/{match[2]}"
