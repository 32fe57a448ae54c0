"""A folder reads what is in it, and leaves it no other way than its root would."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.software.budget import Budget, Spent
from analyzer.software.folder import Folder
from analyzer.software.root import Root
from tests.unit.software.programs import make_tree

FILES = {
    "srv/a/name": "of a",
    "srv/b": "-> /srv/a",
    "srv/out": "-> ../../../../../../secret",
    "srv/far": "-> /secret/name",
    "secret/name": "inside",
    "srv/again/round": "-> ../again",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a root with links, and a secret beside it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/name").write_text("outside")
    return make_tree(tmp_path / "root", FILES)


@pytest.fixture
def root(tree: Path) -> Iterator[Root]:
    """Return the root, opened."""
    with Root(str(tree)) as opened:
        yield opened


@pytest.mark.parametrize("avoided", [False, True])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a/name", b"of a"),
        ("b/name", b"of a"),
        ("far", b"inside"),
        ("out/name", b"inside"),
        ("../secret/name", b"inside"),
        ("a/../../../secret/name", b"inside"),
        ("again/round/round/round/../a/name", b"of a"),
    ],
)
def test_a_file_is_read_as_the_root_reads_it(
    tree: Path, name: str, text: bytes, avoided: bool
) -> None:
    """Links lead where they lead below the root, also where a mount point is to be avoided."""
    avoid = {"/srv/remote": "nfs"} if avoided else {}
    with Root(str(tree), avoid=avoid) as root, Folder(root, "/srv") as folder:
        assert folder.read(name, 100) == text
        assert folder.read(name, 2) == text[:2]


def test_what_is_avoided_is_not_read(tree: Path) -> None:
    """A mount point below a folder is one that a path of the root leads to."""
    with Root(str(tree), avoid={"/srv/a": "nfs"}) as careful:
        with Folder(careful, "/srv") as folder:
            assert not folder.has("a/name")
            with pytest.raises(OSError, match="remote"):
                folder.read("a/name", 100)
            with pytest.raises(OSError, match="remote"):
                folder.below("a")
        assert careful.refused == {"/srv/a": "nfs"}


@pytest.mark.parametrize("name", ["a", "nothing", "a/name/deeper", "", "a/\0", "fifo", "\ud800"])
def test_other_things_than_files_are_refused(tree: Path, root: Root, name: str) -> None:
    """A folder, what is not there, a name that none can have, a FIFO that nobody writes to."""
    os.mkfifo(tree / "srv/fifo")
    with Folder(root, "/srv") as folder, pytest.raises((OSError, ValueError)) as caught:
        folder.read(name, 100)
    assert isinstance(caught.value, OSError)


def test_a_folder_below_is_opened(root: Root) -> None:
    """A link to one, too."""
    with Folder(root, "/srv") as folder:
        for name in ("a", "b", "../srv/a"):
            with folder.below(name) as below:
                assert below.names() == ["name"]
                assert below.path == f"/srv/{name}"
        assert folder.has("a/name")
        assert folder.has("b")
        assert not folder.has("nothing")
        with pytest.raises(OSError, match="No such file"):
            folder.below("nothing")


def test_all_is_counted(tree: Path) -> None:
    """Files, folders and bytes."""
    budget = Budget(bytes_max=5, files_max=3, cpu_s=60)
    with Root(str(tree), budget) as counted, Folder(counted, "/srv/a") as folder:
        folder.read("name", 3)
        folder.names()
        with pytest.raises(Spent):
            folder.read("name", 3)
        with pytest.raises(Spent):
            folder.names()
