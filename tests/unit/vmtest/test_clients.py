"""The real clients in a guest: what is run there, and what becomes of its results."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.unit.report_samples import example
from tests.vmtest.clients.environments import GoProgram, NpmPackages, PipPackages
from tests.vmtest.clients.judgements import JUDGEMENTS, problems
from tests.vmtest.clients.known import ALL
from tests.vmtest.clients.roster import CLIENTS
from tests.vmtest.clients.store import Store
from tests.vmtest.clients.table import ROWS_FILE, Row, write_rows
from tests.vmtest.clients.targets import TARGETS, ForeignPython, compile_ahead, lay_out_environment
from tests.vmtest.kernels import arm64, clients
from tests.vmtest.kernels.kernels import LINES, Kernel, Line
from tests.vmtest.kernels.machine import Outcome
from tests.vmtest.kernels.mirror import VmError
from tests.vmtest.kernels.suite import Count, table, total

PYTHON = "/usr/bin/python3"
ARM64 = TARGETS["arm64"]
RIGHT = Row("curl", "7.88.1", "optional", ("1 x v1",), ("v1",), None, ())
WRONG = RIGHT._replace(problems=("not in the log: 1 x GET", "IMDS was asked nothing"))
SKIPPED = RIGHT._replace(client="PHP curl", skipped="No such file or directory. Needs php-cli")


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    """Return a guest that ended as it should."""
    kernel = Kernel("6.12", "amd64", "6.12.1-amd64", "6.12.1-1", tmp_path, tmp_path / "vmlinuz")
    return Outcome(kernel, 0, "", 20.0, 300.0, tmp_path)


def test_rows_come_back_from_the_guest_and_are_counted(outcome: Outcome) -> None:
    """A row of the summary for each probe."""
    rows = {"core/fentry": [RIGHT, RIGHT], "core/kprobe": [RIGHT]}
    write_rows(outcome.directory / ROWS_FILE, rows)
    report = clients.judge(outcome)
    assert report.problems == ()
    assert total(report.rows) == Count(passed=3)
    lines = table(report.rows).splitlines()
    assert "6.12.1-amd64  core/fentry  2 passed, 0 failed, 0 skipped" in lines


def test_what_is_wrong_or_skipped_is_a_problem_with_its_reason(outcome: Outcome) -> None:
    """In a guest a skip hides something."""
    rows = {"core/fentry": [RIGHT, WRONG], "core/kprobe": [SKIPPED]}
    write_rows(outcome.directory / ROWS_FILE, rows)
    report = clients.judge(outcome)
    assert report.problems == (
        "6.12, core/fentry: wrong: curl, optional: not in the log: 1 x GET",
        "6.12, core/fentry: wrong: curl, optional: IMDS was asked nothing",
        "6.12, core/kprobe: skipped: PHP curl, optional: No such file or directory. Needs php-cli",
    )
    assert total(report.rows) == Count(passed=1, failed=1, skipped=1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"core/fentry": [{"client": "curl"}]}'])
def test_damaged_results_are_a_problem(outcome: Outcome, text: str) -> None:
    """A file that was cut off is not taken for a short one."""
    (outcome.directory / ROWS_FILE).write_text(text)
    (problem,) = clients.judge(outcome).problems
    assert problem.startswith("6.12: the results are damaged: ")


def test_a_guest_without_results_is_a_problem(outcome: Outcome) -> None:
    """Every probe has its row all the same."""
    report = clients.judge(outcome)
    assert report.problems == (f"6.12: no results, see {outcome.directory}",)
    assert [(row.probe, row.note) for row in report.rows] == [
        ("core/fentry", "none"),
        ("core/kprobe", "none"),
    ]


def test_a_probe_that_left_nothing_is_a_problem(outcome: Outcome) -> None:
    """Results of one of the two do not make the run pass."""
    write_rows(outcome.directory / ROWS_FILE, {"core/fentry": [RIGHT]})
    assert clients.judge(outcome).problems == ("6.12, core/kprobe: no results",)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_every_probe_of_a_line_watches(line: Line) -> None:
    """BCC where it compiles; options given on the way are passed on as they are."""
    command = clients.guest_command(line.name, ["--only", "Perl HTTP::Tiny"])
    words = shlex.split(command)
    probes = [words[at + 1] for at, word in enumerate(words) if word == "--probe"]
    assert probes == ["core/fentry", "core/kprobe", *(["bcc/kprobe"] if line.bcc else [])]
    assert words[words.index("--only") + 1] == "Perl HTTP::Tiny"
    assert "--no-skips" in words


def test_the_other_machine_type_runs_what_was_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a Python that has the analyzer's own needs, in a directory the guest sees."""
    monkeypatch.setenv("IMDS_ANALYZER_CACHE", str(tmp_path / "the cache"))
    words = shlex.split(clients.guest_command("arm64"))
    assert words[words.index("--for") + 1] == "arm64"
    python = words[words.index("tests.vmtest.clients") - 2]
    assert any(Path(python).is_relative_to(each) for each in clients.userland().shared)
    assert f"IMDS_ANALYZER_CACHE={tmp_path / 'the cache'}" in words
    with pytest.raises(VmError, match="--prepare --for arm64"):
        clients.check_prepared()


def test_the_clients_tree_has_what_they_need_and_the_suites_tree_has_not() -> None:
    """Every package of a client is there, except those that only make one."""
    needed = {package for client in CLIENTS for package in client.packages}
    assert needed - set(clients.TREE.packages) == {
        *("npm", "golang-go", "pypy3-venv", "default-jdk-headless"),
    }
    assert clients.TREE.directory != arm64.TREE.directory
    assert not clients.TREE.directory.name.startswith(f"{arm64.TREE.name}-")


def test_an_environment_for_another_machine_is_of_other_facts() -> None:
    """And is kept apart: one that was made for this machine is never taken for the other's."""
    for environment in (GoProgram("net_http.go"), PipPackages(("boto==2.49.0",), is_old=True)):
        assert environment.facts(None) != environment.facts(ARM64)
    scripts = NpmPackages(("aws-sdk@2.573.0",))
    assert scripts.facts(None) == scripts.facts(ARM64)
    assert Store().root != Store(ARM64).root


def test_a_virtual_environment_is_laid_out_without_its_python(tmp_path: Path) -> None:
    """Links to a program that is only there on the other machine."""
    packages = lay_out_environment(tmp_path / "venv", ARM64.old_python)
    assert packages == tmp_path / "venv" / "lib" / "pypy3.9" / "site-packages"
    assert (tmp_path / "venv" / "bin" / "python").readlink() == Path("/usr/bin/pypy3")
    assert "home = /usr/bin\n" in (tmp_path / "venv" / "pyvenv.cfg").read_text()
    assert (ARM64.old_python.version, ARM64.python.version) == ("3.9", "3.11")


def test_python_is_compiled_for_a_root_that_is_elsewhere(tmp_path: Path) -> None:
    """What it says of itself in a traceback is where it will be, not where it was made."""
    asked = [PYTHON, "-c", "import sys; print(sys.implementation.cache_tag)"]
    tag = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    library = tmp_path / "usr" / "lib"
    library.mkdir(parents=True)
    (library / "good.py").write_text("ANSWER = 42\n")
    (library / "old.py").write_text("print 'only Python 2 knows this'\n")
    here = ForeignPython(PYTHON, "python3", tag)
    assert compile_ahead(library, here, tmp_path)
    (compiled,) = (library / "__pycache__").iterdir()
    assert compiled.name == f"good.{tag}.pyc"
    assert b"/usr/lib/good.py" in compiled.read_bytes()
    assert str(tmp_path).encode() not in compiled.read_bytes()


def test_without_that_python_here_nothing_is_compiled(tmp_path: Path) -> None:
    """Code of another Python would only be in the way."""
    (tmp_path / "module.py").touch()
    assert not compile_ahead(tmp_path, ForeignPython(PYTHON, "python3", "cpython-20"))
    assert [path.name for path in tmp_path.iterdir()] == ["module.py"]


def test_every_judgement_is_of_a_client_that_is_run() -> None:
    """A name that is misspelt would judge nothing."""
    names = [client.name for client in ALL]
    assert len(set(names)) == len(names)
    assert set(JUDGEMENTS) <= set(names)


def test_a_client_that_the_table_has_wrong_is_a_problem(tmp_path: Path) -> None:
    """An old version that asks with a token, and one that report takes for another."""
    line = dict(example(version="v2", reason="token_header"))
    said = " ".join(problems("botocore", "1.12.253", [line], tmp_path))
    assert "1.12.253 asked with tokens alone, and the table has botocore need 1.13.25" in said
    assert "the report recognises" in said
    assert not list(problems("busybox wget", "1.35", [line], tmp_path))
