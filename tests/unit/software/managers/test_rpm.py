"""rpm's SQLite database says which package owns a file.

``rpmdb.sqlite.gz`` was made by rpm 4.18: two packages of 122 files each were built by rpmbuild and
installed, ``ops-facts`` (epoch 2, with a vendor) in /opt/ops and ``other-tool`` in /opt/other.
"""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest

from analyzer.software.found import Package
from analyzer.software.managers import rpm
from analyzer.software.root import Root
from tests.unit.software.trees import tree

DATABASE = gzip.decompress(Path(__file__).with_name("rpmdb.sqlite.gz").read_bytes())
OPS = Package("rpm", "ops-facts", "2:1.4.2-3", "/usr/bin/ops-facts", "Example Operations")
OTHER = Package("rpm", "other-tool", "0.9-3", "/opt/other/file7", "Example Operations")


@pytest.mark.parametrize("place", rpm.DATABASES)
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/usr/bin/ops-facts", OPS),
        ("/opt/ops/file7", OPS._replace(path="/opt/ops/file7")),
        ("/opt/other/file7", OTHER),  # the same name in another package's folder
        ("/opt/file7", None),
        ("/opt/other/file121", None),
    ],
)
def test_the_owner_of_a_file(tmp_path: Path, place: str, path: str, wanted: Package | None) -> None:
    """Name and folder decide."""
    with Root(str(tree(tmp_path, {place: DATABASE}))) as root:
        assert list(rpm.owners(root, [path])) == ([wanted] if wanted else [])


def test_what_is_installed(tmp_path: Path) -> None:
    """All packages of the database."""
    place = rpm.DATABASES[0]
    with Root(str(tree(tmp_path, {place: DATABASE}))) as root, root.open(place) as file:
        found = [(each.name, each.version) for each in rpm.installed(file, place)]
    assert sorted(found) == [("ops-facts", "2:1.4.2-3"), ("other-tool", "0.9-3")]


def test_an_older_database_is_said(tmp_path: Path) -> None:
    """Berkeley DB is not read; the evidence says so."""
    old = tree(tmp_path, {"/var/lib/rpm/Packages": b"\0"})
    with Root(str(old)) as root, pytest.raises(OSError, match="before SQLite"):
        list(rpm.owners(root, ["/usr/bin/x"]))
    with Root(str(tmp_path / "var")) as root:
        assert list(rpm.owners(root, ["/usr/bin/x"])) == []


@pytest.mark.parametrize("place", range(0, len(DATABASE), 4093))
def test_damage_is_said(tmp_path: Path, place: int) -> None:
    """Nothing but OSError comes of a database that is cut or overwritten."""
    damaged = DATABASE[:place] + b"\xff" * 64 + DATABASE[place + 64 :]
    for raw in (damaged, DATABASE[:place]):
        place_of = tree(tmp_path, {rpm.DATABASES[1]: raw})
        with Root(str(place_of)) as root, contextlib.suppress(OSError):
            assert [each.path for each in rpm.owners(root, [OPS.path])] in ([OPS.path], [])
