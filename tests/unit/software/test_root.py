"""A root keeps its reader inside: links, `..` and special files of a container do not lead out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.software.budget import Budget, Spent
from analyzer.software.root import Root, parents

MUCH = 1 << 20


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a root directory, with a secret beside it."""
    (tmp_path / "secret").write_text("of the host")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/name").write_text("of the container")
    return root


@pytest.fixture
def root(inside: Path) -> Iterator[Root]:
    """Return the opened root."""
    with Root(str(inside)) as opened:
        yield opened


def test_a_file_is_read_up_to_the_bound(root: Root) -> None:
    """No more is read than was asked for."""
    assert root.read("/etc/name", 6) == b"of the"
    assert root.names("/") == ["etc"]
    assert root.is_file("etc/name")
    assert root.is_dir("/etc")
    assert not root.is_dir("/etc/name")
    assert not root.is_file("/nothing")


@pytest.mark.parametrize(
    "target", ["../../secret", "/../secret", "../../../../../../../secret", "{outside}"]
)
def test_a_link_does_not_lead_out(inside: Path, root: Root, target: str) -> None:
    """The host's file is not found; below the root, the same path is."""
    link = target.format(outside=inside.parent / "secret")
    (inside / "etc/link").symlink_to(link)
    with pytest.raises(FileNotFoundError):
        root.read("/etc/link", MUCH)
    below = inside / (link.lstrip("./") if link.startswith((".", "/..")) else link.lstrip("/"))
    below.parent.mkdir(parents=True, exist_ok=True)
    below.write_text("below")
    assert root.read("/etc/link", MUCH) == b"below"


def test_dots_end_at_the_root(root: Root) -> None:
    """As in a chroot."""
    assert root.read("/../../etc/../etc/name", MUCH) == b"of the container"


def test_links_to_directories_are_followed_and_named(inside: Path, root: Root) -> None:
    """A relative and an absolute link."""
    (inside / "srv").symlink_to("etc")
    (inside / "opt").symlink_to("/srv")
    assert root.read("/opt/name", MUCH) == b"of the container"
    assert root.real("/opt/name") == "/etc/name"


def test_links_in_a_circle_end(inside: Path, root: Root) -> None:
    """As the kernel says it: ELOOP."""
    (inside / "a").symlink_to("b")
    (inside / "b").symlink_to("a")
    with pytest.raises(OSError, match="levels of symbolic links"):
        root.read("/a", MUCH)


def test_special_files_are_not_opened(inside: Path, root: Root) -> None:
    """To open a FIFO would wait for a writer; a device may do anything."""
    os.mkfifo(inside / "fifo")
    done = threading.Event()

    def read() -> None:
        with pytest.raises(OSError, match="not a regular file"):
            root.read("/fifo", MUCH)
        done.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert done.wait(10)


def test_it_stays_readable_after_its_path_is_gone(inside: Path) -> None:
    """As a process's root does, while somebody has it open."""
    with Root(str(inside)) as opened:
        inside.rename(inside.with_name("other"))
        assert opened.read("/etc/name", MUCH) == b"of the container"


def test_no_descriptor_is_left(inside: Path, root: Root) -> None:
    """Also not after an error."""
    (inside / "a").symlink_to("/a")
    before = len(list(Path("/proc/self/fd").iterdir()))
    root.read("/etc/name", MUCH)
    for path in ("/a", "/nothing/at/all", "/etc/name/below"):
        with pytest.raises(OSError, match=r"levels|No such|Not a directory"):
            root.read(path, MUCH)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    "budget",
    [
        Budget(bytes_max=10, files_max=9, cpu_s=60),
        Budget(bytes_max=MUCH, files_max=0, cpu_s=60),
        Budget(bytes_max=MUCH, files_max=9, cpu_s=0),
    ],
    ids=["bytes", "files", "cpu"],
)
def test_a_budget_ends(inside: Path, budget: Budget) -> None:
    """Each limit by itself."""
    with Root(str(inside), budget) as opened, pytest.raises(Spent):
        opened.read("/etc/name", MUCH)


def test_a_budget_allows_what_it_holds(inside: Path) -> None:
    """Its nearest neighbour."""
    with Root(str(inside), Budget(bytes_max=16, files_max=1, cpu_s=60)) as opened:
        assert opened.read("/etc/name", MUCH) == b"of the container"


def test_parents_are_named_nearest_first() -> None:
    """The root is the last."""
    assert list(parents("/srv/app/a.py")) == ["/srv/app", "/srv", "/"]
    assert list(parents("/")) == []


@pytest.mark.parametrize("path", ["/slow/file", "/slow", "/link/file", "/etc/../slow/file"])
def test_a_mount_that_may_hang_is_not_entered(inside: Path, path: str) -> None:
    """Not by a link either; what was refused is known then."""
    (inside / "slow").mkdir()
    (inside / "slow/file").write_text("of a server")
    (inside / "link").symlink_to("/slow")
    with Root(str(inside), avoid={"/slow": "nfs4"}) as root:
        with pytest.raises(OSError, match="remote"):
            root.read(path, MUCH)
        assert not root.is_file(path)
        assert root.refused == {"/slow": "nfs4"}
        assert root.read("/etc/name", MUCH) == b"of the container"


def test_a_root_that_may_hang_is_not_read(inside: Path) -> None:
    with Root(str(inside), avoid={"/": "nfs"}) as root:
        assert not root.is_dir("/")
        assert root.refused == {"/": "nfs"}
