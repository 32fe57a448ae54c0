"""Alpine's database says which package owns a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software.managers import apk
from analyzer.software.root import Root
from tests.unit.software.trees import tree

# As https://wiki.alpinelinux.org/wiki/Apk_spec has it: F: names the folder of the R: below it.
DATABASE = """\
P:busybox
V:1.36.1-r15
m:Someone <someone@example.org>
F:bin
R:busybox
Z:Q1abc=
F:etc
R:tool

P:tool
V:2.0-r0
F:usr
F:usr/bin
R:tool
a:0:0:755
"""


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/bin/busybox", ("busybox", "1.36.1-r15", "Someone <someone@example.org>")),
        ("/usr/bin/tool", ("tool", "2.0-r0", "")),
        ("/etc/tool", ("busybox", "1.36.1-r15", "Someone <someone@example.org>")),
        ("/bin/tool", None),
        ("/usr/bin/too", None),
    ],
)
def test_the_owner_of_a_file(tmp_path: Path, path: str, wanted: tuple[str, ...] | None) -> None:
    """Name and folder decide."""
    with Root(str(tree(tmp_path, {apk.DATABASE: DATABASE}))) as root:
        found = [(each.name, each.version, each.vendor) for each in apk.owners(root, [path])]
    assert found == ([wanted] if wanted else [])


def test_what_is_installed() -> None:
    """Each paragraph is a package."""
    found = apk.installed(DATABASE.encode(), apk.DATABASE)
    assert [each.name for each in found] == ["busybox", "tool"]
