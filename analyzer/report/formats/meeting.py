"""Makes the one page for a meeting: the verdict, who is in the way, and what to do next.

Each part has a number of rows that it always gets; where the page is too long, parts give way in
the order of ``_GIVE_WAY``. Rows that are left show how to fix the first callers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rich.text import Text

from analyzer.report.formats import fixes, fleet, outlook, selection, wording
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.formats.meeting_incidents import incidents
from analyzer.report.formats.meeting_instances import JUDGEMENT_STYLES, InstanceParts
from analyzer.report.formats.paper import INDENT, ITEMS_MAX, Block, Column, Lines, Paper
from analyzer.report.formats.selection import Detail
from analyzer.report.result import Entry, Judgement, Report, Standing

BOUNDS = selection.Bounds(
    callers_in_detail=20,
    callers_in_rows=30,
    hosts=30,
    commands=10,
    command_characters=4_000,
    differences=20,
    text=200,
)
TODAY_STYLES = {Standing.CALLS: "bold red", Standing.REJECTED: "bold red"}
# The first gives way first. The sum of what each gets at least is below the rows of a page.
_GIVE_WAY = ("changes", "groups", "remarks", "cleared", "owners", "input", "figures", "steps",
             "callers", "instances", "causes", "obstacles", "incidents")  # fmt: skip
# The parts in the order in which they are shown.
_ORDER = ("incidents", "head", "obstacles", "remarks", "instances", "groups", "callers",
          "causes", "changes", "owners", "fixes", "cleared", "figures", "input", "steps",
          "commands", "end")  # fmt: skip
_ROWS_OF_CALLERS = 10
_COMMAND_ROWS_MAX = 12  # of the first step

_CALLERS = (
    Column("", is_number=True),
    Column("caller", is_flexible=True),
    Column("today"),
    Column("hosts", is_number=True, gives_way=1),
    Column("calls", is_number=True, gives_way=3),
    Column("cause", gives_way=2),
    Column("SAFE on"),
    Column("fix", is_number=True, gives_way=4),
)


class Meeting:
    """Makes the parts of the page."""

    def __init__(self, report: Report, paper: Paper) -> None:
        self._report = report
        self._paper = paper
        self._names = fleet.names(report)
        self._callers = fleet.in_the_way(report)
        self._all_fixes = fixes.of(report)
        self._place_of = fixes.place_of(self._all_fixes)

    def page(self, rows: int, detail: Detail) -> Sequence[tuple[str, Lines]]:
        """Return the parts, by name, in order; without ``detail`` they are that many rows."""
        parts = InstanceParts(self._report, self._paper, self._callers, self._names)
        blocks = {
            "incidents": incidents(self._report, self._paper),
            "head": self._head(),
            "obstacles": self._obstacles(),
            "remarks": self._remarks(),
            "instances": parts.instances(),
            "groups": parts.groups(),
            "callers": self._table(),
            "causes": parts.causes(),
            "changes": Block() if detail.callers or detail.by_host else parts.fixes(),
            "owners": parts.owners(),
            "cleared": self._cleared(),
            "figures": self._figures(),
            "input": self._input(),
            "steps": Block() if detail.steps else self._steps(),
            "end": self._end(),
        }
        fitted = dict(
            zip(
                blocks,
                self._paper.fit_all(
                    list(blocks.values()), [blocks[each] for each in _GIVE_WAY], rows
                ),
            )
        )
        left = rows - sum(self._paper.rows(each) for each in fitted.values())
        fitted["fixes"], fitted["commands"] = self._extras(left, detail)
        return [(each, fitted.get(each, [])) for each in _ORDER]

    def _head(self) -> Block:
        report, paper = self._report, self._paper
        verdict = report.verdict
        lines = [
            *paper.cut(paper.paragraph(wording.material(report.findings), "dim"), 2),
            Text(""),
            paper.text(verdict.judgement.value, JUDGEMENT_STYLES[verdict.judgement]),
        ]
        window = f"{wording.span(verdict.window)}: {wording.watched(report)}"
        lines += paper.cut(paper.paragraph(window, indent=INDENT), 2)
        date = outlook.date(verdict)
        if date is not None:
            lines += paper.cut(paper.paragraph(date, "bold", indent=INDENT), 2)
        return Block(items=[lines], least=len(lines))

    def _obstacles(self) -> Block:
        """Say what keeps it from SAFE, besides the callers in the table."""
        reasons = selection.obstacles(self._report.verdict)
        return Block(
            [Text("  In the way:")] if reasons else [],
            [self._paper.paragraph(each.text, mark="- ", indent=INDENT) for each in reasons],
            least=5,
            noun="reason",
            where="--format json",
        )

    def _remarks(self) -> Block:
        reasons = selection.remarks(self._report.verdict)
        is_safe = self._report.verdict.judgement is Judgement.SAFE
        return Block(
            [Text("  Known, and not in the way:")] if reasons and not is_safe else [],
            [self._paper.paragraph(each.text, mark="- ", indent=INDENT) for each in reasons],
            least=2,
            noun="remark",
            where="--format json",
        )

    def _table(self) -> Block:
        """Say who breaks if IMDSv1 is switched off today."""
        paper = self._paper
        if not self._callers:
            if self._report.verdict.judgement is Judgement.SAFE:
                title = paper.title("If IMDSv1 is switched off today, nothing known breaks")
            else:
                title = paper.title("No caller is in the way")
            return Block(title, [paper.paragraph(wording.nobody(self._report))], least=4)
        shown = self._callers[:_ROWS_OF_CALLERS]
        lines = paper.grid(_CALLERS, [self._row(n, each) for n, each in enumerate(shown, 1)])
        number = wording.plural(len(self._callers), "caller")
        return Block(
            [
                *paper.title(
                    f"If IMDSv1 is switched off today: {number} in the way (all: --callers)"
                ),
                lines[0],
            ],
            [[each] for each in lines[1:]],
            least=8,
            noun="caller",
            where="--callers",
            left_out=len(self._callers) - len(shown),
        )

    def _row(self, place: int, caller: FleetCaller) -> Sequence[Text]:
        paper = self._paper
        style = TODAY_STYLES.get(caller.standing, "yellow") if caller.standing else "yellow"
        return (
            Text(f"{place}"),
            paper.cell(outlook.caller(caller, paper.arrow), "bold"),
            Text(outlook.today(caller), style),
            Text(wording.count(caller.host_count)),
            Text(wording.count(caller.calls)),
            Text(wording.CAUSES[caller.cause]),
            Text(outlook.safe_on(caller)),
            Text(f"{self._place_of[caller.key]}"),
        )

    def _cleared(self) -> Block:
        """Say who used IMDSv1 and no longer counts; what somebody decided comes first."""
        paper = self._paper
        callers = sorted(
            fleet.cleared(self._report), key=lambda each: each.standing is not Standing.ACCEPTED
        )
        items = [
            paper.paragraph(
                outlook.cleared(each),
                mark=f"{outlook.caller(each, paper.arrow)}: ",
                is_hanging=False,
            )
            for each in callers[:ITEMS_MAX]
        ]
        number = wording.count(len(callers))
        return Block(
            paper.title(f"No longer in the way: {number} (each: --callers)"),
            items,
            least=4,
            noun="caller",
            where="--callers",
            left_out=len(callers) - len(items),
        )

    def _figures(self) -> Block:
        paper, figures = self._paper, self._report.comparison
        if figures is None:
            return Block()
        items = [paper.paragraph(wording.comparison(figures))]
        items += [paper.paragraph(each, "dim") for each in figures.notes[:ITEMS_MAX]]
        shown = figures.differences[: BOUNDS.differences]
        items += [
            paper.paragraph(outlook.difference(each, self._names), mark="- ") for each in shown
        ]
        return Block(
            paper.title("Comparison with CloudWatch"),
            items,
            least=4,
            noun="line",
            where="--format json",
            left_out=len(figures.differences) + len(figures.notes) + 1 - len(items),
        )

    def _input(self) -> Block:
        """Say what could not be read of the input."""
        findings, paper = self._report.findings, self._paper
        found = [*findings.unread[:ITEMS_MAX], *findings.damage[:ITEMS_MAX]]
        if not found and not findings.damaged:
            return Block()
        items = [paper.paragraph(wording.damage(each), mark="- ") for each in found]
        if findings.damaged > len(findings.damage):
            items.append(paper.paragraph("Of the damaged lines, only the first are listed.", "dim"))
        return Block(
            paper.title(wording.not_read(findings)),
            items,
            least=4,
            noun="place",
            where="--format json",
            left_out=len(findings.unread) + len(findings.damage) - len(found),
        )

    def _steps(self) -> Block:
        paper = self._paper
        steps = self._report.steps
        items = [
            paper.paragraph(each.title, mark=f"{place}. ")
            for place, each in enumerate(steps[:ITEMS_MAX], 1)
        ]
        title = paper.title("What to do next (why, and the commands: --steps)")
        return Block(
            title, items, least=4, noun="step", where="--steps", left_out=len(steps) - len(items)
        )

    def _end(self) -> Block:
        judgement = self._report.verdict.judgement
        end = self._paper.text(judgement.value, JUDGEMENT_STYLES[judgement])
        return Block(items=[[Text(""), end]], least=2)

    def _commands(self) -> Lines:
        """Return the commands of the first step that has some, if they are few."""
        paper = self._paper
        for place, each in enumerate(self._report.steps, 1):
            if each.commands:
                lines = paper.commands(each.commands, BOUNDS)
                is_short = paper.rows(lines) <= _COMMAND_ROWS_MAX
                return (
                    [*paper.paragraph(f"Commands of step {place}:", "dim"), *lines]
                    if is_short
                    else []
                )
        return []

    def _extras(self, rows: int, detail: Detail) -> tuple[Lines, Lines]:
        """Fill what is left: the first fix, the commands of the first step, then more fixes."""
        paper = self._paper
        changes = iter(()) if detail.callers else self._fixes()
        commands = [] if detail.steps else self._commands()
        title = paper.title("How to fix them")
        # Only those that are looked at are laid out.
        wanted = itertools.chain(itertools.islice(changes, 1), (commands,), changes)
        left = rows - paper.rows(title)
        shown: list[Lines] = []
        for each in wanted:
            if paper.rows(each) <= left:
                left -= paper.rows(each)
                shown.append(each)
            elif each is not commands:
                break
        fixed = [line for each in shown if each is not commands for line in each]
        has_commands = any(each is commands for each in shown)
        return [*title, *fixed] if fixed else [], commands if has_commands else []

    def _fixes(self) -> Iterator[Lines]:
        """Return how each change is made, in their order, as the worst caller of it needs it."""
        paper = self._paper
        for place, fix in enumerate(self._all_fixes[:ITEMS_MAX], 1):
            entry = fix.first.entry
            if entry is None or not fix.members:
                continue
            yield advice(paper, entry, f"{place}. ")


def advice(paper: Paper, entry: Entry, number: str = "") -> Lines:
    """Say why a caller calls, and what to do, with the commands; ``number`` comes first."""
    diagnosis = entry.diagnosis
    cause = f"{number}{wording.CAUSES[diagnosis.cause]}: "
    indent = 0 if number else INDENT
    lines = paper.paragraph(diagnosis.summary, mark=cause, indent=indent, is_hanging=False)
    for each in diagnosis.evidence:
        lines += paper.paragraph(each, mark="* ", indent=INDENT)
    for each in diagnosis.advice:
        lines += paper.paragraph(each, mark="-> ", indent=INDENT)
    return lines + paper.commands(diagnosis.commands, BOUNDS)
