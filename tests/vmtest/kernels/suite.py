"""The live suite in one guest: the commands that run it, and what their results say."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from xml.etree import ElementTree

from tests.vmtest.kernels.arm64 import ARCH as ARM64
from tests.vmtest.kernels.kernels import line_named
from tests.vmtest.kernels.machine import Outcome
from tests.vmtest.kernels.plan import BCC, BCC_PROBES, CORE_PROBES, Plan, plan_of, target

# The row of the tests that start no probe, or leave the choice to the analyzer.
NO_PROBE = "any"

# Python's start alone takes seconds in a guest; this is for a test that hangs.
TEST_TIMEOUT_S = 400
# The tree there has no compiled Python, and compiling it takes longer than deadlines of the
# lab's allow: that is done first, and kept until the guest's end. What needs a library that is
# not in the tree is not used there either.
ARM64_WARM_UP = """\
import analyzer, contextlib, importlib, pkgutil
for module in pkgutil.walk_packages(analyzer.__path__, "analyzer.", onerror=lambda name: None):
    if not module.name.endswith("__main__") and not module.name.startswith("analyzer.report"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)
"""

_PROBE_IN_NAME = re.compile(r"\[(?:[^\]]*-)?((?:core|bcc)/[a-z]+)(?=[-\]])")


@dataclass(frozen=True)
class Count:
    """How many tests passed, failed (errors included) and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        """Sum two counts."""
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        """Return the closing line's form."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Case:
    """One test's result: ``passed``, ``failed`` or ``skipped``, and the first line of why."""

    name: str
    result: str
    reason: str = ""

    @property
    def probe(self) -> str:
        """Return the probe among the test's parameters."""
        match = _PROBE_IN_NAME.search(self.name)
        return match[1] if match else NO_PROBE


@dataclass(frozen=True)
class Row:
    """One line of the closing table. ``note`` says why there are no results, if so."""

    kernel: str
    probe: str
    count: Count
    note: str = ""


@dataclass(frozen=True)
class Report:
    """All there is to say about one kernel; ``problems`` make the whole run fail."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]


def guest_command(line: str, keyword: Optional[str] = None, *, full: bool = False) -> str:
    """Return the shell command that runs the suite in a guest of that kernel line."""
    plan = plan_of(line, full=full)
    core = _pytest("core", CORE_PROBES, plan, keyword)
    if line_named(line).arch == ARM64:
        return warm_up("python") + core
    if not plan.bcc:
        return core
    bcc = _pytest("bcc", BCC_PROBES, Plan(BCC, (), bcc=True, without=()), keyword)
    if not line_named(line).bcc:
        # Where BCC is not expected to compile the headers, the reason is asked for anew.
        ask = "python -m tests.vmtest.kernels.trial bcc/kprobe > $RESULTS/bcc.reason"
        bcc = f"if {ask}; then {bcc}; fi"
    return f"{core}; {bcc}"


def warm_up(python: str) -> str:
    """Return the command, closed, that has the analyzer compiled in a tree that is not."""
    return f"{python} -c {shlex.quote(ARM64_WARM_UP)}; "


def _pytest(part: str, probes: Iterable[str], plan: Plan, keyword: Optional[str]) -> str:
    names = shlex.quote(" ".join(probes))
    once = shlex.quote(" ".join(f"test_{name}.py" for name in plan.once))
    words = ["python", "-m", "pytest", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}"]
    words += ["--durations=5", f"--basetemp=/tmp/{part}"]
    words += ["-k", keyword] if keyword else []
    words += [f"--deselect={name}" for name in plan.without]
    return (
        f"IMDS_ANALYZER_PROBES={names} IMDS_ANALYZER_REQUIRE={names} IMDS_ANALYZER_ONCE={once} "
        f"{shlex.join([*words, *map(target, plan.files)])} --junitxml=$RESULTS/{part}.xml"
    )


def read_cases(text: str) -> list[Case]:
    """Read a JUnit report as pytest writes it. Raises ParseError on a damaged one."""
    cases = []
    # The report was written by our own pytest in our own guest.
    for element in ElementTree.fromstring(text).iter("testcase"):  # noqa: S314
        name = element.get("name", "")
        result, reason = "passed", ""
        for kind, means in (("skipped", "skipped"), ("failure", "failed"), ("error", "failed")):
            found = element.find(kind)
            if found is not None:
                result, reason = means, (found.get("message") or "").strip().split("\n")[0]
        cases.append(Case(f"{element.get('classname')}::{name}", result, reason))
    return cases


def judge(outcome: Outcome, *, full: bool = False) -> Report:
    """Turn what one guest left behind into rows and problems."""
    kernel = outcome.kernel
    problems = [f"{kernel.line}: {outcome.trouble}"] if outcome.trouble else []
    reason = outcome.directory / "bcc.reason"
    why_not_bcc = reason.read_text(encoding="utf-8").strip() if reason.exists() else ""
    cases: list[Case] = []
    asks_bcc = plan_of(kernel.line, full=full).bcc
    parts = ("core", "bcc") if asks_bcc else ("core",)
    probes: tuple[str, ...] = (*CORE_PROBES, *BCC_PROBES, NO_PROBE)
    if kernel.arch == ARM64:
        probes = (*CORE_PROBES, NO_PROBE)
    for part in parts:
        report = outcome.directory / f"{part}.xml"
        if report.exists():
            try:
                cases += read_cases(report.read_text(encoding="utf-8"))
            except ElementTree.ParseError as error:
                problems.append(f"{kernel.line}: the results of {part} are damaged: {error}")
        elif outcome.booted and not (part == "bcc" and why_not_bcc):
            problems.append(f"{kernel.line}: no results of {part}, see {outcome.directory}")
    if outcome.booted and not cases:
        problems.append(f"{kernel.line}: no tests ran")
    rows = []
    for probe in probes:
        results = Counter(case.result for case in cases if case.probe == probe)
        if probe == NO_PROBE and not results:
            continue  # only where a file is asked that starts no probe
        count = Count(results["passed"], results["failed"], results["skipped"])
        note = ""
        if not results:
            note = _why_none(probe, why_not_bcc, asks_bcc=asks_bcc)
        rows.append(Row(kernel.release, probe, count, note))
    # In a guest nothing that is tested is truly absent, so a skip hides something.
    problems += [
        f"{kernel.line}: {case.result}: {case.name}: {case.reason}"
        for case in cases
        if case.result != "passed"
    ]
    return Report(tuple(rows), tuple(problems))


def _why_none(probe: str, why_not_bcc: str, *, asks_bcc: bool) -> str:
    if probe not in BCC_PROBES:
        return "none"
    if not asks_bcc:
        return "left to FULL=1"
    return f"not possible: {why_not_bcc}" if why_not_bcc else "none"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as text, one line each, columns aligned."""
    cells = [(row.kernel, row.probe, row.note or str(row.count)) for row in rows]
    cells.insert(0, ("kernel", "probe", "result"))
    widths = [max(len(cell[column]) for cell in cells) for column in (0, 1)]
    return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}" for a, b, c in cells)


def total(rows: Iterable[Row]) -> Count:
    """Return the sum over all rows."""
    return sum((row.count for row in rows), Count())


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a log."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
