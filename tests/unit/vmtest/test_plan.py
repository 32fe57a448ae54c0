"""The shorter run leaves out what it says it leaves out, and a full one nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vmtest.kernels import plan
from tests.vmtest.kernels.kernels import LINES
from tests.vmtest.kernels.suite import guest_command

NAMES = [line.name for line in LINES]


@pytest.mark.parametrize("line", NAMES)
def test_a_full_run_leaves_nothing_out(line: str) -> None:
    """Nor does it ask anything with one probe only."""
    assert plan.left_out(line, full=True) == []
    assert plan.plan_of(line, full=True).once == ()
    assert "IMDS_ANALYZER_ONCE='' " in guest_command(line, full=True)


@pytest.mark.parametrize("line", NAMES)
def test_each_file_that_is_not_asked_is_named(line: str) -> None:
    """So the summary tells what a full run would add."""
    told = " ".join(plan.left_out(line))
    missing = set(plan.plan_of(line, full=True).files) - set(plan.plan_of(line).files)
    assert all(name in told for name in missing)
    assert all(name in told for name in plan.plan_of(line).once)
    assert ("bcc/kprobe" in told) == (line in {"6.1", "6.12", "newest"})


@pytest.mark.parametrize("line", NAMES)
def test_every_kernel_is_asked_every_way_to_send_with_every_probe(line: str) -> None:
    """Where a probe attaches is what differs most between kernels."""
    asked = plan.plan_of(line)
    assert set(plan.EVERY_PROBE) <= set(asked.files)
    assert not set(plan.EVERY_PROBE) & set(asked.once)


def test_the_files_exist_and_each_kernel_has_its_turn() -> None:
    """A file that was renamed, or a kernel that was added, is noticed."""
    whole = plan.plan_of("5.10", full=True)
    assert all(Path(plan.target(name)).exists() for name in whole.files)
    assert all(Path(name.split("::")[0]).exists() for name in plan.HOST_ONLY)
    assert sorted(map(plan.turn, NAMES)) == list(range(len(LINES)))
