"""requirements.lock: what install.sh installs satisfies pyproject.toml on every Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from analyzer.service_plan.stages import PYTHON_MAX, PYTHON_MIN

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).parents[2]
LOCK = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
PIN = re.compile(r"^(?P<requirement>\w[^\\\n]*?) \\\n(?P<hashes>(?: +--hash=.*\n?)+)", re.MULTILINE)


def wanted() -> list[Requirement]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["metrics"]]
    return [Requirement(line) for line in lines]


def counts(requirement: Requirement, python: str, machine: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"sys_platform": "linux", "platform_machine": machine}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins(python: str, machine: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of what is installed there."""
    for match in PIN.finditer(LOCK):
        requirement = Requirement(match["requirement"])
        if counts(requirement, python, machine):
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            yield requirement.name, specifier.version


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", PYTHONS)
def test_one_version_of_each_dependency(python: str, machine: str) -> None:
    found = list(pins(python, machine))
    versions = dict(found)
    assert len(versions) == len(found)
    for requirement in wanted():
        if counts(requirement, python, machine):
            assert requirement.specifier.contains(versions[requirement.name]), requirement


def test_everything_is_pinned_by_hash() -> None:
    names = [line for line in LOCK.splitlines() if re.match(r"\w", line)]
    assert len(names) == len(PIN.findall(LOCK)) > 0


def test_no_place_to_fetch_from_is_named() -> None:
    assert "://" not in LOCK
    assert "index" not in LOCK


def test_install_sh_accepts_these_pythons() -> None:
    oldest, newest = (f"{major}.{minor}" for major, minor in (PYTHON_MIN, PYTHON_MAX))
    assert (oldest, newest) == (PYTHONS[0], PYTHONS[-1])
    script = (CHECKOUT / "install.sh").read_text(encoding="utf-8")
    assert f"no Python from {oldest} to {newest}" in script
