"""What is put into a guest, as far as no network is needed for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.vmtest.systems.bundle import requirements_for
from tests.vmtest.systems.roots import packages_index

LOCK = """\
# This file was written by a program
click==8.1.8 ; python_full_version < '3.10' and sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
click==8.5.1 ; python_full_version >= '3.10' and sys_platform == 'linux' \\
    --hash=sha256:cc
psutil==7.2.2 \\
    --hash=sha256:dd
tomli==2.0 ; python_version < '3.11' \\
    --hash=sha256:ee
colorama==0.4 ; sys_platform == 'win32' \\
    --hash=sha256:ff
"""


@pytest.mark.parametrize(
    ("python", "names"),
    [
        ("3.9", ["click==8.1.8", "psutil==7.2.2", "tomli==2.0"]),
        ("3.11", ["click==8.5.1", "psutil==7.2.2"]),
        ("3.13", ["click==8.5.1", "psutil==7.2.2"]),
    ],
)
def test_each_python_gets_its_own_requirements(python: str, names: list[str]) -> None:
    """Conditions are those of the guest's Python, not of the one that runs here."""
    lines = requirements_for(LOCK, python).splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == names


def test_no_hash_is_lost() -> None:
    """Each requirement keeps its hashes, all of them and no other's."""
    wanted = "click==8.1.8 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert requirements_for(LOCK, "3.9").startswith(wanted)


def test_apt_reads_the_index(tmp_path: Path) -> None:
    """It fetches both, one with an epoch in its file's name, and finds sizes and sums right."""
    repository = tmp_path / "repository"
    (repository / "lists" / "partial").mkdir(parents=True)
    debs = []
    for name in ("some-thing", "other"):
        control = tmp_path / name / "DEBIAN" / "control"
        control.parent.mkdir(parents=True)
        control.write_text(
            f"Package: {name}\nVersion: 1:1.0-1\nArchitecture: all\nMaintainer: nobody <n@x>\n"
            "Description: short\n long, first line\n .\n second paragraph\n"
        )
        deb = repository / f"{name}_1%3a1.0-1_all.deb"
        subprocess.run(["dpkg-deb", "--build", control.parent.parent, deb], check=True)
        debs.append(deb)
    (repository / "Packages").write_text(packages_index(debs))
    (repository / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    (repository / "status").touch()
    settings = {
        "Dir::Etc::sourcelist": repository / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": repository / "lists",
        "Dir::State::status": repository / "status",
        "Dir::Cache": repository,
        "APT::Sandbox::User": "",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    subprocess.run(["apt-get", *options, "-q", "update"], check=True, capture_output=True)
    download = ["apt-get", *options, "-q", "download", "some-thing", "other"]
    into = tmp_path / "into"
    into.mkdir()
    subprocess.run(download, check=True, capture_output=True, cwd=into)
    wanted = sorted(deb.read_bytes() for deb in debs)
    assert sorted(path.read_bytes() for path in into.iterdir()) == wanted
