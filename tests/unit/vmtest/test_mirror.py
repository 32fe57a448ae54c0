"""The mirror comes from the machine's own apt configuration, in either of its formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vmtest.kernels.mirror import (
    AptEntry,
    MirrorError,
    Mirrors,
    choose_mirrors,
    machine_mirrors,
    parse_deb822,
    parse_one_line,
)

DEB822 = """\
Types: deb deb-src
# http://comment.invalid/in-the-middle
URIs: http://mirror.invalid/debian
 http://second.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: bookworm-security
Components: main
"""


def test_one_line_entries_lose_their_options_and_comments() -> None:
    """Options such as ``trusted=yes`` are not taken over."""
    text = (
        "# deb http://off.invalid/debian bookworm main\n"
        "deb [trusted=yes arch=amd64] http://mirror.invalid/debian bookworm main non-free # why\n"
        "deb [ signed-by=/key ] http://other.invalid/debian sid main\n"
        "deb-src http://mirror.invalid/debian bookworm main\n"
        "deb broken\n"
    )
    assert parse_one_line(text) == [
        AptEntry("http://mirror.invalid/debian", "bookworm", ("main", "non-free")),
        AptEntry("http://other.invalid/debian", "sid", ("main",)),
    ]


def test_deb822_gives_every_uri_with_every_suite() -> None:
    """Comments within a stanza and continued lines are read as apt reads them."""
    assert [(entry.uri, entry.suite) for entry in parse_deb822(DEB822)] == [
        ("http://mirror.invalid/debian", "bookworm"),
        ("http://mirror.invalid/debian", "bookworm-updates"),
        ("http://second.invalid/debian", "bookworm"),
        ("http://second.invalid/debian", "bookworm-updates"),
        ("http://mirror.invalid/debian-security", "bookworm-security"),
    ]


@pytest.mark.parametrize("line", ["Enabled: no", "Types: deb-src"])
def test_deb822_leaves_out_what_apt_does_not_install_from(line: str) -> None:
    """A stanza that is off, or for sources only, names no mirror."""
    text = f"Types: deb\nURIs: http://a.invalid\nSuites: bookworm\nComponents: main\n{line}\n"
    assert parse_deb822(text) == []


def test_third_parties_are_not_the_archive() -> None:
    """Another suite's name, or no main component, tells a repository from Debian's archive."""
    chosen = choose_mirrors(
        [
            AptEntry("http://tools.invalid", "nodistro", ("main",)),
            AptEntry("http://containers.invalid", "bookworm", ("stable",)),
            AptEntry("http://mirror.invalid/debian", "bookworm", ("main",)),
            AptEntry("http://mirror.invalid/debian", "bookworm-updates", ("main",)),
            AptEntry("http://mirror.invalid/debian-security", "bookworm-security", ("main",)),
        ],
        "bookworm",
    )
    assert chosen == Mirrors(
        ("http://mirror.invalid/debian",), ("http://mirror.invalid/debian-security",)
    )
    assert chosen.uris_of("trixie-backports") == ("http://mirror.invalid/debian",)
    assert chosen.uris_of("bullseye-security") == ("http://mirror.invalid/debian-security",)


def test_no_mirror_is_an_error_that_says_where_to_add_one() -> None:
    """The message names the file."""
    with pytest.raises(MirrorError, match=r"Add one to /etc/apt/sources\.list"):
        choose_mirrors([AptEntry("http://tools.invalid", "nodistro", ("main",))], "bookworm")


def test_all_files_of_the_machine_are_read(tmp_path: Path) -> None:
    """Both formats count, in the main file and in the directory."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.invalid/debian trixie main\n")
    (tmp_path / "sources.list.d" / "b.sources").write_text(
        "Types: deb\nURIs: http://two.invalid/sec\nSuites: trixie-security\nComponents: main\n"
    )
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="trixie"\n')
    assert machine_mirrors(tmp_path, release) == Mirrors(
        ("http://one.invalid/debian",), ("http://two.invalid/sec",)
    )
