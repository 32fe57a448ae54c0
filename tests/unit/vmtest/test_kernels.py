"""Which packages make up a kernel, which version is taken, and when the cache is believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.vmtest.kernels.kernels import (
    LINES,
    MARKER,
    KernelError,
    cached,
    choose_offer,
    fetch,
    line_named,
)
from tests.vmtest.kernels.packages import Offer, Package, parse_dependencies, parse_madison

MADISON = """\
linux-image-amd64 | 7.3.4-1~bpo13+1 | http://m.invalid/debian trixie-backports/main amd64 Packages
linux-image-amd64 | 6.12.117-1 | http://m.invalid/sec trixie-security/main amd64 Packages
linux-image-amd64 | 6.12.95-1~bpo12+1 | http://m.invalid/d bookworm-backports/main amd64 Packages
linux-image-amd64 |  6.1.192-2 | http://m.invalid/sec bookworm-security/main amd64 Packages
linux-image-amd64 |  6.1.99-1 | http://m.invalid/debian bookworm/main amd64 Packages
"""


def test_dependencies_are_the_kernels_own_packages_with_their_versions() -> None:
    """Of alternatives the first counts; compilers and initramfs tools are not followed."""
    assert parse_dependencies(
        " dracut | linux-initramfs-tool, linux-base-7.3.4+deb13-amd64 (= 7.3.4-1~bpo13+1), "
        "linux-binary-7.3.4+deb13-amd64 (= 7.3.4-1~bpo13+1), linux-modules-7.3.4+deb13-amd64, "
        "linux-image-6.1-amd64 (= 6.1-1) | linux-image-6.1-amd64-unsigned (= 6.1-1), gcc-14, "
        "linux-kbuild-6.1 (>= 6.1.192-2), linux-base (>= 4.12~)"
    ) == [
        Package("linux-base-7.3.4+deb13-amd64", "7.3.4-1~bpo13+1"),
        Package("linux-binary-7.3.4+deb13-amd64", "7.3.4-1~bpo13+1"),
        Package("linux-modules-7.3.4+deb13-amd64"),
        Package("linux-image-6.1-amd64", "6.1-1"),
    ]


@pytest.mark.parametrize(
    ("line", "version"),
    [("6.1", "6.1.192-2"), ("6.12", "6.12.117-1"), ("newest", "7.3.4-1~bpo13+1")],
)
def test_the_highest_version_of_the_line_is_taken(line: str, version: str) -> None:
    """6.1.192 is above 6.1.99, and 6.12 is no 6.1."""
    assert choose_offer(line_named(line), parse_madison(MADISON)) == version


def test_a_kernel_that_the_mirror_no_longer_has_is_an_error_with_the_suites() -> None:
    """The message says where it was looked for."""
    with pytest.raises(KernelError, match=r"5\.10.*bullseye, bullseye-security"):
        choose_offer(line_named("5.10"), [Offer("6.1.192-2", "bookworm")])


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A typing error on the command line is explained."""
    with pytest.raises(KernelError, match=r"5\.10, 6\.1, 6\.12, newest"):
        line_named("6.2")


def _keep(cache: Path, version: str, at_s: int, *, whole: bool = True) -> None:
    tree = cache / "kernels" / "amd64" / "6.1" / version
    tree.mkdir(parents=True)
    if whole:
        marker = tree / MARKER
        marker.write_text(
            json.dumps({"release": "6.1.0-1-amd64", "version": version, "image": "boot/vmlinuz"})
        )
        os.utime(marker, (at_s, at_s))


def test_the_cache_answers_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two kept versions the one that was fetched last is used; nothing is asked of a mirror."""
    monkeypatch.setenv("IMDS_ANALYZER_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    _keep(tmp_path, "6.1.9-1", 1000)
    _keep(tmp_path, "6.1.10-1", 2000)
    (kernel,) = fetch([line_named("6.1")])
    assert (kernel.version, kernel.release, kernel.arch) == ("6.1.10-1", "6.1.0-1-amd64", "amd64")
    assert kernel.image == tmp_path / "kernels" / "amd64" / "6.1" / "6.1.10-1" / "boot" / "vmlinuz"


def test_a_tree_without_its_marker_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted download left behind counts as nothing."""
    monkeypatch.setenv("IMDS_ANALYZER_CACHE", str(tmp_path))
    _keep(tmp_path, "6.1.9-1", 1000, whole=False)
    assert cached(line_named("6.1"), "amd64") is None


def test_names_of_lines_are_folders_of_their_own() -> None:
    """No two lines share a cache directory or a results directory."""
    names = [line.name for line in LINES]
    assert len(set(names)) == len(names)
    assert all("/" not in name for name in names)
