"""Reads rpm's SQLite database (rpm 4.16 and later: Amazon Linux 2023, Fedora 33, RHEL 9).

The tables: https://rpm-software-management.github.io/rpm/manual/ (rpmdb), lib/backend/sqlite.c; the
header's tags: https://rpm-software-management.github.io/rpm/manual/tags.html.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Optional

from analyzer.software.found import Package
from analyzer.software.managers.sqlite import Damaged, Database
from analyzer.software.root import Root

DATABASES = ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite")
_OLD = ("/var/lib/rpm/Packages", "/usr/lib/sysimage/rpm/Packages.db")
_NAME, _VERSION, _RELEASE, _VENDOR = 1000, 1001, 1002, 1011
_DIR_INDEXES, _BASE_NAMES, _DIR_NAMES = 1116, 1117, 1118
_EPOCH = 1003
_INT32, _STRING, _STRINGS = 4, 6, 8
# The largest header of Fedora has some 50,000 files.
_ENTRIES_MAX, _ITEMS_MAX = 4096, 500_000
_MERGED = ("/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib64/")


def owners(root: Root, paths: Sequence[str]) -> Iterator[Package]:
    """Yield the package of each path that one owns. Raises OSError for an older database."""
    database = next((path for path in DATABASES if root.is_file(path)), None)
    if database is None:
        if any(root.is_file(path) for path in _OLD):
            raise OSError(errno.ENOTSUP, "rpm's database is of the kind before SQLite")
        return
    with root.open(database) as file:
        try:
            for path in paths:
                found = _maybe_owner(file, path)
                if found is not None:
                    yield found
        except (Damaged, struct.error, IndexError) as error:
            raise OSError(errno.EIO, f"rpm's database is damaged: {error}") from None


def installed(file: BinaryIO, path: str) -> Iterator[Package]:
    """Yield the installed packages of a database."""
    try:
        database = Database(file)
        for _, row in database.rows(database.roots()["Packages"]):
            if isinstance(row[-1], bytes):
                yield _package(_header(row[-1]), path)
    except (Damaged, struct.error, IndexError, KeyError) as error:
        raise OSError(errno.EIO, f"rpm's database is damaged: {error}") from None


def _maybe_owner(file: BinaryIO, path: str) -> Optional[Package]:
    file.seek(0)
    database = Database(file)
    roots = database.roots()
    if not roots.keys() >= {"Packages", "Basenames", "Basenames_key_idx"}:
        raise Damaged("a table is missing")
    folder, _, name = path.rpartition("/")
    folders = {folder + "/"}
    if any((folder + "/").startswith(each) for each in _MERGED):
        folders.add(folder.removeprefix("/usr") + "/")
    for entry in database.keys(roots["Basenames_key_idx"], name.encode("utf-8", "surrogateescape")):
        row_id = entry[-1]
        row = database.row(roots["Basenames"], row_id) if isinstance(row_id, int) else []
        if len(row) < 3 or not isinstance(row[1], int):  # noqa: PLR2004 (key, hnum, idx)
            continue
        blob = database.row(roots["Packages"], row[1])
        header = _header(blob[-1]) if blob and isinstance(blob[-1], bytes) else {}
        if _folder(header, row[2]) in folders:
            return _package(header, path)
    return None


def _folder(header: dict[int, list[object]], index: object) -> object:
    """Return the folder of a package's file by its number."""
    indexes, names = header.get(_DIR_INDEXES, []), header.get(_DIR_NAMES, [])
    if not isinstance(index, int) or not 0 <= index < len(indexes):
        return None
    place = indexes[index]
    return names[place] if isinstance(place, int) and 0 <= place < len(names) else None


def _package(header: dict[int, list[object]], path: str) -> Package:
    def text(tag: int) -> str:
        values = header.get(tag) or [""]
        return str(values[0])

    epoch = text(_EPOCH)
    version = f"{text(_VERSION)}-{text(_RELEASE)}"
    version = f"{epoch}:{version}" if epoch not in ("", "0") else version
    return Package("rpm", text(_NAME), version, path, text(_VENDOR))


def _header(blob: bytes) -> dict[int, list[object]]:
    """Return the tags that are of interest: texts and numbers."""
    count, size = struct.unpack_from(">II", blob)
    if count > _ENTRIES_MAX:
        raise Damaged("too many tags")
    store = blob[8 + 16 * count :][:size]
    wanted = {_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _DIR_INDEXES, _DIR_NAMES}
    header: dict[int, list[object]] = {}
    for number in range(count):
        tag, kind, offset, items = struct.unpack_from(">IIiI", blob, 8 + 16 * number)
        if tag in wanted and 0 <= offset < len(store) and items <= _ITEMS_MAX:
            header[tag] = _items(store, kind, offset, items)
    return header


def _items(store: bytes, kind: int, offset: int, items: int) -> list[object]:
    if kind == _INT32:
        return list(struct.unpack_from(f">{items}I", store, offset))
    if kind in (_STRING, _STRINGS, 9):
        texts = store[offset:].split(b"\0", items)[:items]
        return [each.decode("utf-8", "surrogateescape") for each in texts]
    return []
