"""A process that has another file shown as its executable is told from one that has not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from analyzer.imds import IMDS_IPV4
from tests.live.watch import DEADLINE_S, Line, Watch, new_marker

SOURCE = Path(__file__).with_name("replaced.c")
SHOWN = shutil.which("sleep") or "/bin/sleep"
CURL = shutil.which("curl") or "curl is not installed"


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the compiled program."""
    program = tmp_path_factory.mktemp("replaced") / "replaced"
    subprocess.run(["cc", "-Wall", "-Werror", "-O1", "-o", program, SOURCE], check=True)
    return program


@pytest.fixture(autouse=True)
def _is_core(watch: Watch) -> None:
    if watch.probe.startswith("bcc"):
        pytest.skip("BCC's programs do not watch it")


def _called(watch: Watch, program: Path, how: str) -> Line:
    marker = new_marker()
    path = f"/latest/meta-data/{marker}"
    by_curl = [CURL, "-sS", f"http://{IMDS_IPV4}{path}"]
    argv = watch.namespace.command([str(program), IMDS_IPV4, path, how, SHOWN, *by_curl])
    subprocess.run(argv, stdout=subprocess.DEVNULL, timeout=DEADLINE_S, check=True)
    return watch.one(marker)


def test_one_that_replaced_nothing_is_believed(watch: Watch, replaced: Path) -> None:
    """The usual case."""
    process = _called(watch, replaced, "not")["process"]
    assert process["executable"] == str(replaced)
    assert "unverified" not in process


@pytest.mark.parametrize("how", ["itself", "child"])
def test_a_replaced_executable_is_not_verified(watch: Watch, replaced: Path, how: str) -> None:
    """Its own, and that of a child, which has a copy of its memory."""
    process = _called(watch, replaced, how)["process"]
    assert process["executable"].endswith("/sleep")
    assert process["unverified"] == ["executable"]


def test_an_exec_makes_it_right_again(watch: Watch, replaced: Path) -> None:
    """What it starts is what it is; it itself, as an ancestor, is not verified."""
    process = _called(watch, replaced, "program")["process"]
    assert process["name"] == "curl"
    assert "unverified" not in process
    assert process["ancestors"][0]["unverified"] == ["executable"]
    assert "unverified" not in process["ancestors"][1]
