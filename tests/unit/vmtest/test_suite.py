"""What a guest left behind becomes a table, a total and a list of problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.kernels.machine import Outcome
from tests.vmtest.kernels.suite import Case, Count, guest_command, judge, read_cases, table, total

JUNIT = """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="4">
<testcase classname="tests.live.test_wire" name="test_v1[core/fentry-write]" time="1" />
<testcase classname="tests.live.test_wire" name="test_v1[core/kprobe-write]" time="1">
<failure message="AssertionError: one&#10;two">trace</failure></testcase>
<testcase classname="tests.live.test_lab" name="test_lab[options0]" time="1">
<skipped type="pytest.skip" message="no curl">where</skipped></testcase>
<testcase classname="tests.live.test_run" name="test_bad_path" time="1">
<error message="failed on setup">trace</error></testcase>
</testsuite></testsuites>
"""
PASSED = (
    '<testsuites><testsuite><testcase classname="c" name="t[bcc/kprobe]"/></testsuite></testsuites>'
)


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    """Return a guest that ended as it should."""
    kernel = Kernel("6.12", "amd64", "6.12.1-amd64", "6.12.1-1", tmp_path, tmp_path / "vmlinuz")
    return Outcome(kernel, 0, "", 20.0, 300.0, tmp_path)


@pytest.mark.parametrize(
    ("name", "probe"),
    [
        ("t[core/fentry]", "core/fentry"),
        ("t[core/tracepoint-15]", "core/tracepoint"),
        ("t[31-bcc/kprobe]", "bcc/kprobe"),
        ("t[write-bcc/fentry-x]", "bcc/fentry"),
        ("t[options0]", "any"),
        ("t", "any"),
        ("t[score/kprobe]", "any"),
    ],
)
def test_the_probe_is_read_from_the_parameters(name: str, probe: str) -> None:
    """Wherever in the brackets pytest puts it."""
    assert Case(name, "passed").probe == probe


def test_failures_errors_and_skips_are_told_apart_with_their_reason() -> None:
    """An error of a fixture is a failure; of a reason its first line is kept."""
    assert [(case.result, case.reason) for case in read_cases(JUNIT)] == [
        ("passed", ""),
        ("failed", "AssertionError: one"),
        ("skipped", "no curl"),
        ("failed", "failed on setup"),
    ]


def test_whatever_did_not_pass_is_a_problem(outcome: Outcome) -> None:
    """Skips too: in a guest they would hide something."""
    (outcome.directory / "core.xml").write_text(JUNIT)
    (outcome.directory / "bcc.xml").write_text(PASSED)
    report = judge(outcome, full=True)
    assert total(report.rows) == Count(passed=2, failed=2, skipped=1)
    assert str(total(report.rows)) == "2 passed, 2 failed, 1 skipped"
    assert len(report.problems) == 3
    assert "6.12: skipped: tests.live.test_lab::test_lab[options0]: no curl" in report.problems


def test_where_bcc_cannot_compile_the_row_says_why(outcome: Outcome) -> None:
    """It is no problem then that BCC has no results."""
    (outcome.directory / "core.xml").write_text(PASSED.replace("bcc", "core"))
    (outcome.directory / "bcc.reason").write_text("bpf.h:368:10: error: incomplete type\n")
    report = judge(outcome, full=True)
    assert report.problems == ()
    lines = table(report.rows).splitlines()
    assert "6.12.1-amd64  core/kprobe  1 passed, 0 failed, 0 skipped" in lines
    assert "6.12.1-amd64  bcc/kprobe   not possible: bpf.h:368:10: error: incomplete type" in lines


def test_missing_results_of_bcc_without_a_reason_are_a_problem(outcome: Outcome) -> None:
    """A guest that died between the two parts does not pass."""
    (outcome.directory / "core.xml").write_text(PASSED.replace("bcc", "core"))
    assert judge(outcome, full=True).problems == (
        f"6.12: no results of bcc, see {outcome.directory}",
    )


def test_a_guest_without_tests_is_a_problem(outcome: Outcome) -> None:
    """An expression that selects nothing does not pass."""
    for part in ("core", "bcc"):
        (outcome.directory / f"{part}.xml").write_text("<testsuites><testsuite/></testsuites>")
    assert judge(outcome, full=True).problems == ("6.12: no tests ran",)


def test_damaged_results_are_a_problem(outcome: Outcome) -> None:
    """A report that was cut off is not taken for a short one."""
    (outcome.directory / "core.xml").write_text(JUNIT[:200])
    (outcome.directory / "bcc.xml").write_text(PASSED)
    assert [text.split(":")[1] for text in judge(outcome, full=True).problems] == [
        " the results of core are damaged"
    ]


def test_a_guest_that_did_not_boot_is_a_problem(tmp_path: Path, outcome: Outcome) -> None:
    """Its rows are there, without results."""
    dead = Outcome(outcome.kernel, None, "did not boot within 240 s", 0.0, 480.0, tmp_path)
    report = judge(dead)
    assert report.problems == ("6.12: did not boot within 240 s",)
    assert total(report.rows) == Count()


def test_every_probe_that_is_run_is_required() -> None:
    """So that pytest fails, and does not skip, where one does not attach."""
    command = guest_command("6.1", "wire and not v2", full=True)
    for names in ("'core/fentry core/kprobe'", "bcc/kprobe"):
        assert f"IMDS_ANALYZER_PROBES={names} IMDS_ANALYZER_REQUIRE={names} " in command
    assert command.count("-k 'wire and not v2'") == 2


@pytest.mark.parametrize(
    ("line", "run", "evidence"),
    [("5.10", True, True), ("6.1", False, False), ("newest", False, True)],
)
def test_what_depends_little_on_the_kernel_runs_at_the_ends(
    line: str, run: bool, evidence: bool
) -> None:
    """What reads the kernel's structures runs on all; a full run asks all of all."""
    command = guest_command(line)
    assert ("test_pressure.py" in command) == ("test_run.py" in command) == run
    assert ("test_evidence.py" in command) == evidence
    assert "test_paths.py" in command
    assert "test_pressure.py" in guest_command(line, full=True)


def test_bcc_is_left_to_the_full_run_where_it_was_not_asked(outcome: Outcome) -> None:
    """The row says so: nothing is missing silently."""
    (outcome.directory / "core.xml").write_text(PASSED.replace("bcc", "core"))
    report = judge(outcome)
    assert report.problems == ()
    assert "6.12.1-amd64  bcc/kprobe   left to FULL=1" in table(report.rows).splitlines()
