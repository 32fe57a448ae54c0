"""Judge what a guest wrote, and put all of them into a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

# What has to be there for a system to count, in the order in which it is done: (boot, step).
STEPS = (
    *((1, name) for name in ("boot", "install", "service", "confinement", "unit", "record")),
    *((2, name) for name in ("boot", "reboot", "upgrade", "broken", "uninstall", "purge")),
)
FACTS = ("kernel", "python", "libbpf", "attach", "exposure")


@dataclass(frozen=True)
class Step:
    """One step as the guest wrote it."""

    name: str
    ok: bool
    seconds: float
    trouble: str


@dataclass
class Report:
    """All that is known of one system; ``problems`` make the run fail."""

    system: str
    total_s: float
    facts: dict[str, Any] = field(default_factory=dict)
    steps: dict[tuple[int, str], Step] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def installed(self) -> bool:
        """Tell whether there is anything that could survive a second boot."""
        step = self.steps.get((1, "install"))
        return step is not None and step.ok


def judge(system: str, text: str, troubles: Iterable[str], total_s: float) -> Report:
    """Read a guest's lines. ``troubles`` is what the host saw go wrong; a missing step is one.

    A line that is cut off, as by a machine that was ended, counts as not written.
    """
    report = Report(system, total_s)
    report.problems += [f"{system}: {trouble}" for trouble in troubles if trouble]
    for written in text.splitlines(keepends=True):
        if not written.endswith("\n"):
            continue
        line = json.loads(written)
        if line["kind"] == "fact":
            report.facts[line["name"]] = line["value"]
        elif line["kind"] == "step":
            step = Step(line["name"], line["ok"], line["seconds"], line["trouble"])
            report.steps[line["boot"], line["name"]] = step
            if not step.ok:
                report.problems.append(f"{system}: {step.name}: {step.trouble}")
    missing = [f"{name} of boot {boot}" for boot, name in STEPS if (boot, name) not in report.steps]
    if missing:
        report.problems.append(f"{system}: not done: {', '.join(missing)}")
    return report


def table(reports: Sequence[Report]) -> str:
    """Return one line per system and one per step, columns aligned."""
    header = ["", *(report.system for report in reports)]
    rows = [[name, *(str(report.facts.get(name, "-")) for report in reports)] for name in FACTS]
    rows += [
        [f"{key[0]} {key[1]}", *(_cell(report.steps.get(key)) for report in reports)]
        for key in STEPS
    ]
    rows.append(["seconds in all", *(f"{report.total_s:.0f}" for report in reports)])
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells
    )


def _cell(step: Step | None) -> str:
    if step is None:
        return "not done"
    return f"{'ok' if step.ok else 'FAILED'} {step.seconds:.0f} s"
