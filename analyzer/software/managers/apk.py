"""Reads Alpine's database, /lib/apk/db/installed (apk(5), https://wiki.alpinelinux.org/wiki/Apk_spec)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.software.found import Package
from analyzer.software.root import Root

DATABASE = "/lib/apk/db/installed"
_BYTES_MAX = 32 << 20


def owners(root: Root, paths: Sequence[str]) -> Iterator[Package]:
    """Yield the package of each path that one owns."""
    raw = root.read(DATABASE, _BYTES_MAX)
    for path in paths:
        folder, _, name = path.rpartition("/")
        for paragraph in _with(raw, f"R:{name}"):
            if path in _files(paragraph, folder):
                yield _package(paragraph, path)
                break


def installed(raw: bytes, path: str) -> Iterator[Package]:
    """Yield the installed packages."""
    for paragraph in raw.split(b"\n\n"):
        if paragraph.strip():
            yield _package(paragraph.decode("utf-8", "replace"), path)


def _with(raw: bytes, line: str) -> Iterator[str]:
    """Yield the paragraphs that have a line."""
    sign = b"\n" + line.encode("utf-8", "surrogateescape") + b"\n"
    start = 0
    while (found := raw.find(sign, start)) >= 0:
        begin = raw.rfind(b"\n\n", 0, found) + 1
        end = raw.find(b"\n\n", found)
        end = len(raw) if end < 0 else end
        yield raw[begin:end].decode("utf-8", "replace")
        start = end


def _files(paragraph: str, wanted: str) -> Iterator[str]:
    """Yield the paths of a paragraph's files in one folder; ``F:`` lines name folders."""
    folder = ""
    for line in paragraph.splitlines():
        if line.startswith("F:"):
            folder = "/" + line[2:]
        elif line.startswith("R:") and folder == wanted:
            yield f"{folder}/{line[2:]}"


def _package(paragraph: str, path: str) -> Package:
    values = {line[0]: line[2:] for line in reversed(paragraph.splitlines()) if line[1:2] == ":"}
    return Package("apk", values.get("P", ""), values.get("V", ""), path, values.get("m", ""))
