"""Makes the one page for a meeting: the verdict, who is in the way, and what to do next.

Each part has a number of rows that it always gets; where the page is too long, parts give way in
the order of ``_GIVE_WAY``. Rows that are left show how to fix the first callers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from analyzer.report.formats import fleet, outlook, selection, wording
from analyzer.report.formats.fleet import Caller
from analyzer.report.formats.paper import INDENT, Block, Column, Lines, Paper
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
JUDGEMENT_STYLES = {
    Judgement.SAFE: "bold green",
    Judgement.NOT_SAFE: "bold red",
    Judgement.NOT_ENOUGH_EVIDENCE: "bold yellow",
}
TODAY_STYLES = {Standing.CALLS: "bold red", Standing.REJECTED: "bold red"}
_JUDGEMENTS = (Judgement.NOT_SAFE, Judgement.NOT_ENOUGH_EVIDENCE, Judgement.SAFE)
# The first gives way first. The sum of what each gets at least is below the rows of a page.
_GIVE_WAY = ("groups", "remarks", "cleared", "owners", "input", "figures", "steps", "callers",
             "instances", "causes", "obstacles")  # fmt: skip
# The parts in the order in which they are shown.
_ORDER = ("head", "obstacles", "remarks", "instances", "groups", "callers", "causes", "owners",
          "fixes", "cleared", "figures", "input", "steps",
          "commands", "end")  # fmt: skip
# More items than a page has rows are not laid out.
_ITEMS_MAX = 60
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
)


class Meeting:
    """Makes the parts of the page."""

    def __init__(self, report: Report, paper: Paper) -> None:
        self._report = report
        self._paper = paper
        self._names = fleet.names(report)
        self._callers = fleet.in_the_way(report)

    def page(self, rows: int, detail: Detail) -> Sequence[tuple[str, Lines]]:
        """Return the parts, by name, in order; without ``detail`` they are that many rows."""
        blocks = {
            "head": self._head(),
            "obstacles": self._obstacles(),
            "remarks": self._remarks(),
            "instances": self._instances(),
            "groups": self._groups(),
            "callers": self._table(),
            "causes": self._causes(),
            "owners": self._owners(),
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
        window = f"{wording.span(verdict.window)}: {wording.covered(verdict)}"
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
            least=6,
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

    def _instances(self) -> Block:
        """Say how many instances were judged how, with the first names."""
        report, paper = self._report, self._paper
        verdicts = report.host_verdicts
        if not verdicts and report.roster is None:
            return Block()
        rows: list[tuple[int, str, str, str]] = []
        for judgement in _JUDGEMENTS:
            keys = [each.host or "" for each in verdicts if each.judgement is judgement]
            if keys:
                named = [self._names.get(each, each) for each in keys[:_ITEMS_MAX]]
                style = JUDGEMENT_STYLES[judgement]
                rows.append((len(keys), judgement.value, style, self._some(named, len(keys))))
        if report.roster is not None and report.roster.unwatched:
            number = len(report.roster.unwatched)
            families = outlook.without_a_log(report.roster)
            rows.append((number, "without a log", "bold yellow", "; ".join(families[:_ITEMS_MAX])))
        lines = paper.grid(
            (Column("", is_number=True), Column(""), Column("", is_flexible=True)),
            [
                (Text(wording.count(number)), Text(label, style), paper.cell(names))
                for number, label, style, names in rows
            ],
        )
        title = paper.title(f"{self._watched()} (each: --hosts)")
        return Block(title, [[each] for each in lines[1:]], least=6)

    def _watched(self) -> str:
        report = self._report
        text = f"Instances: {wording.count(len(report.host_verdicts))} with a log"
        if report.roster is None:
            return text
        gone = sum(not each.is_running for each in fleet.by_host(report).values())
        text = f"Instances: {outlook.with_a_log(report.roster)}"
        return text + (f", and {wording.count(gone)} that no longer run" if gone else "")

    def _some(self, names: Sequence[str], total: int) -> str:
        """List as many names as fit a line beside a number and a judgement."""
        room = self._paper.width - 40
        shown: list[str] = []
        for each in names:
            if shown and len(", ".join([*shown, each])) > room:
                break
            shown.append(each)
        return wording.some(shown, total)

    def _groups(self) -> Block:
        paper = self._paper
        groups = outlook.worst_groups(self._report.groups)
        rows = [
            (
                paper.cell(each.name),
                Text(each.judgement.value, JUDGEMENT_STYLES[each.judgement]),
                paper.cell(outlook.group(each)),
            )
            for each in groups[:_ITEMS_MAX]
        ]
        columns = (
            Column("group", is_flexible=True),
            Column("verdict"),
            Column("", is_flexible=True),
        )
        lines = paper.grid(columns, rows) if rows else []
        return Block(
            [Text(""), *lines[:1]],
            [[each] for each in lines[1:]],
            least=4,
            noun="group",
            where="--format json",
            left_out=max(0, len(groups) - _ITEMS_MAX),
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

    def _row(self, place: int, caller: Caller) -> Sequence[Text]:
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
        )

    def _causes(self) -> Block:
        if len(self._callers) <= 1:
            return Block()
        parts = [
            f"{wording.CAUSES[cause]} on {wording.plural(hosts, 'host')}"
            + (f" ({wording.plural(callers, 'caller')})" if callers > 1 else "")
            for cause, hosts, callers in fleet.causes(self._callers)
        ]
        lines = self._paper.paragraph("; ".join(parts) + ".", mark="Causes: ", is_hanging=False)
        return Block(items=[lines], least=2)

    def _owners(self) -> Block:
        paper = self._paper
        owners = fleet.owners(self._report, self._callers)
        called = {each.key: outlook.caller(each, paper.arrow) for each in self._callers}
        rows = [
            (
                paper.cell(outlook.owner(name), "bold"),
                Text(f"{wording.count(unsafe)} of {wording.count(total)}"),
                paper.cell(called.get(worst, "")),
            )
            for name, unsafe, total, worst in owners[:_ITEMS_MAX]
        ]
        columns = (
            Column("owner", is_flexible=True),
            Column("not SAFE", is_number=True),
            Column("first to fix", is_flexible=True),
        )
        lines = paper.grid(columns, rows) if rows else []
        return Block(
            [Text(""), *lines[:1]],
            [[each] for each in lines[1:]],
            least=4,
            noun="owner",
            where="--format json",
            left_out=max(0, len(owners) - _ITEMS_MAX),
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
            for each in callers[:_ITEMS_MAX]
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
        items += [paper.paragraph(each, "dim") for each in figures.notes[:_ITEMS_MAX]]
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
        found = [*findings.unread[:_ITEMS_MAX], *findings.damage[:_ITEMS_MAX]]
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
            for place, each in enumerate(steps[:_ITEMS_MAX], 1)
        ]
        title = paper.title("What to do next (why, and the commands: --steps)")
        return Block(
            title, items, least=6, noun="step", where="--steps", left_out=len(steps) - len(items)
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
        fixes = [] if detail.callers else list(self._fixes())
        commands = [] if detail.steps else self._commands()
        title = paper.title("How to fix them")
        wanted = [*fixes[:1], commands, *fixes[1:]]
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
        """Return how to fix each caller, in the order of the table."""
        paper = self._paper
        for place, caller in enumerate(self._callers[:_ITEMS_MAX], 1):
            if caller.entry is None:
                continue
            name = selection.cut(outlook.caller(caller, paper.arrow), BOUNDS.text)
            yield [
                *paper.paragraph(name, "bold", mark=f"{place}. "),
                *advice(paper, caller.entry),
            ]


def advice(paper: Paper, entry: Entry) -> Lines:
    """Say why a caller calls, and what to do, with the commands."""
    diagnosis = entry.diagnosis
    cause = f"{wording.CAUSES[diagnosis.cause]}: "
    lines = paper.paragraph(diagnosis.summary, mark=cause, indent=INDENT, is_hanging=False)
    for each in diagnosis.advice:
        lines += paper.paragraph(each, mark="-> ", indent=INDENT)
    return lines + paper.commands(diagnosis.commands, BOUNDS)
