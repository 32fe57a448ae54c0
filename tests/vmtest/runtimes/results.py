"""Judges what the guest left: every runtime is there, so a skip counts as a failure.

But not where the table of runtimes says that nothing can be tested.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.containers.runtimes import SKIPPED_EVERYWHERE
from tests.vmtest.kernels.suite import Case, Count, read_cases
from tests.vmtest.runtimes.guest import RESULTS, STATUS


class Verdict(NamedTuple):
    """How many tests passed, and what went wrong."""

    counted: Count
    problems: tuple[str, ...]


def judge(shared: Path, trouble: str, *, with_tests: bool) -> Verdict:
    """Judge one run by the files in the shared directory and the machine's trouble."""
    problems = [trouble] if trouble else []
    status = shared / STATUS
    code = status.read_text(encoding="utf-8").strip() if status.exists() else ""
    if code != "0":
        problems.append(f"the command ended with {code}" if code else "the command did not end")
    if not with_tests:
        return Verdict(Count(), tuple(problems))
    report = shared / RESULTS
    cases = read_cases(report.read_text(encoding="utf-8")) if report.exists() else []
    if not cases:
        problems.append("no tests ran")
    results = Counter(case.result for case in cases)
    problems += [
        f"{case.result}: {case.name}: {case.reason}"
        for case in cases
        if case.result != "passed" and not _is_known(case)
    ]
    return Verdict(Count(results["passed"], results["failed"], results["skipped"]), tuple(problems))


def _is_known(case: Case) -> bool:
    return case.result == "skipped" and case.reason.endswith(tuple(SKIPPED_EVERYWHERE))
