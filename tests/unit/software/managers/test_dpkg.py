"""dpkg's database says which package owns a file; dpkg itself agrees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from analyzer.software.found import Package
from analyzer.software.managers import dpkg
from analyzer.software.root import Root
from tests.unit.software.trees import tree

STATUS = """\
Package: tool
Status: install ok installed
Maintainer: Someone <someone@example.org>
Architecture: amd64
Version: 1:2.3-4

Package: libtool
Status: install ok installed
Architecture: i386
Version: 5

Package: libtool
Status: install ok installed
Maintainer: Another
Architecture: amd64
Version: 6

Package: gone
Status: deinstall ok config-files
Version: 9
"""
FILES = {
    "/var/lib/dpkg/status": STATUS,
    "/var/lib/dpkg/info/tool.list": "/.\n/bin\n/bin/tool\n/opt/vendor\n/opt/vendor/run\n",
    "/var/lib/dpkg/info/libtool:amd64.list": "/.\n/usr/lib/libtool.jar\n",
}
TOOL = Package("dpkg", "tool", "1:2.3-4", "/opt/vendor/run", "Someone <someone@example.org>")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/opt/vendor/run", TOOL),
        ("/usr/bin/tool", TOOL._replace(path="/usr/bin/tool")),  # listed before it was moved
        (
            "/usr/lib/libtool.jar",
            Package("dpkg", "libtool", "6", "/usr/lib/libtool.jar", "Another"),
        ),
        ("/opt/vendor/ru", None),
        ("/opt/vendor", TOOL._replace(path="/opt/vendor")),
        ("/srv/app/run", None),
        ("/usr/local/bin/tool", None),
    ],
)
def test_the_owner_of_a_file(tmp_path: Path, path: str, wanted: Package | None) -> None:
    """A whole path counts, and the architecture that the list is for."""
    with Root(str(tree(tmp_path, FILES))) as root:
        assert list(dpkg.owners(root, [path])) == ([wanted] if wanted else [])


def test_several_files_at_once(tmp_path: Path) -> None:
    """Each has its own owner."""
    with Root(str(tree(tmp_path, FILES))) as root:
        found = {
            each.path: each.name
            for each in dpkg.owners(root, ["/bin/tool", "/usr/lib/libtool.jar"])
        }
    assert found == {"/bin/tool": "tool", "/usr/lib/libtool.jar": "libtool"}


def test_what_is_installed() -> None:
    """What was removed and left its settings is not."""
    found = dpkg.installed(STATUS.encode(), "/var/lib/dpkg/status")
    assert [(each.name, each.version) for each in found] == [
        ("tool", "1:2.3-4"), ("libtool", "5"), ("libtool", "6"),
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="dpkg's host")
@pytest.mark.parametrize("program", ["bash", "env", "grep", "perl"])
def test_dpkg_agrees(program: str) -> None:
    """About this host's own programs."""
    path = str(Path(shutil.which(program) or "").resolve())
    with Root("/") as root:
        (found,) = dpkg.owners(root, [path])
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Maintainer}", found.name]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"{found.name} {found.version} {found.vendor}"
    names = {path, path.removeprefix("/usr")}
    owned = subprocess.run(
        ["dpkg-query", "-L", found.name], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert names & set(owned)


def test_lists_are_not_read_for_what_no_package_may_own(tmp_path: Path) -> None:
    """A folder of the administrator's own: the lists say nothing, whatever is in them."""
    files = {
        **FILES,
        "/var/lib/dpkg/info/tool.list": "/.\n/work/run\n/usr/local/bin/x\n/usr/bin/y\n",
    }
    with Root(str(tree(tmp_path, files))) as root:
        found = dpkg.owners(root, ["/work/run", "/usr/local/bin/x", "/usr/bin/y"])
        assert [each.path for each in found] == ["/usr/bin/y"]
