"""Makes the page's parts on instances and fixes: verdicts, groups, causes, fixes, owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from analyzer.report.account.inventory import InstanceSet, Inventory, Kind
from analyzer.report.formats import fix_words, fixes, fleet, outlook, sets, wording
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.formats.paper import INDENT, ITEMS_MAX, Block, Column, Paper
from analyzer.report.result import WORST_FIRST, Judgement, Report

JUDGEMENT_STYLES = {
    Judgement.SAFE: "bold green",
    Judgement.NOT_SAFE: "bold red",
    Judgement.NOT_ENOUGH_EVIDENCE: "bold yellow",
}


MEMBERS_MAX = 5  # callers of a fix; --callers has all
SET_STYLES = {
    Kind.V1_UNWATCHED: "bold red",
    Kind.V1_WATCHED: "bold red",
    Kind.UNKNOWN: "bold yellow",
    Kind.QUIET: "yellow",
    Kind.UNDECIDED: "yellow",
    Kind.SAFE: "bold green",
    Kind.REQUIRED: "green",
}


class InstanceParts:
    """Makes these parts."""

    def __init__(
        self, report: Report, paper: Paper, callers: Sequence[FleetCaller], names: Mapping[str, str]
    ) -> None:
        self._report = report
        self._paper = paper
        self._callers = callers
        self._names = names
        self._fixes = fixes.of(report)

    def instances(self) -> Block:
        """Say how many instances were judged how, with the first names."""
        report, paper = self._report, self._paper
        if report.inventory is not None:
            return self._sets(report.inventory)
        verdicts = report.host_verdicts
        if not verdicts and report.roster is None:
            return Block()
        rows: list[tuple[int, str, str, str]] = []
        for judgement in WORST_FIRST:
            keys = [each.host or "" for each in verdicts if each.judgement is judgement]
            if keys:
                named = [self._names.get(each, each) for each in keys[:ITEMS_MAX]]
                style = JUDGEMENT_STYLES[judgement]
                rows.append((len(keys), judgement.value, style, self._some(named, len(keys))))
        if report.roster is not None and report.roster.unwatched:
            number = len(report.roster.unwatched)
            families = outlook.without_a_log(report.roster)
            rows.append((number, "without a log", "bold yellow", "; ".join(families[:ITEMS_MAX])))
        lines = paper.grid(
            (Column("", is_number=True), Column(""), Column("", is_flexible=True)),
            [
                (Text(wording.count(number)), Text(label, style), paper.cell(names))
                for number, label, style, names in rows
            ],
        )
        title = paper.title(f"{self._watched()} (each: --hosts)")
        return Block(title, [[each] for each in lines[1:]], least=6)

    def _sets(self, inventory: Inventory) -> Block:
        """Say how many instances are in each set, with what AWS counted and the first names."""
        paper = self._paper
        rows = [
            (
                Text(wording.count(len(of.members))),
                Text(sets.title(of.kind, inventory), SET_STYLES.get(of.kind, "")),
                paper.cell("; ".join(each for each in (sets.calls(of), self._first(of)) if each)),
            )
            for of in sets.shown(inventory)
        ]
        # Last of what is to be done: the sets behind it need nothing.
        place = sum(of.kind not in (Kind.REQUIRED, Kind.OFF) for of in sets.shown(inventory))
        if inventory.launches:
            names = [f"{each.kind} {each.name}" for each in inventory.launches[:ITEMS_MAX]]
            label = Text("would be made anew with IMDSv1", "bold red")
            named = paper.cell(self._some(names, len(inventory.launches)))
            rows.insert(place, (Text(wording.count(len(inventory.launches))), label, named))
        columns = (Column("", is_number=True), Column(""), Column("", is_flexible=True))
        lines = paper.grid(columns, rows)
        title = paper.title(f"{sets.scope(inventory)} (--hosts)")
        return Block(
            title, [[each] for each in lines[1:]], least=10, noun="set", where="--format json"
        )

    def _first(self, of: InstanceSet) -> str:
        return self._some(sets.most(of, 3), len(of.members))

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

    def groups(self) -> Block:
        """Say how each group was judged, the worst first."""
        paper = self._paper
        if self._report.inventory is not None:  # the sets have their place
            return Block()
        groups = outlook.worst_groups(self._report.groups)
        rows = [
            (
                paper.cell(each.name),
                Text(each.judgement.value, JUDGEMENT_STYLES[each.judgement]),
                paper.cell(outlook.group(each)),
            )
            for each in groups[:ITEMS_MAX]
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
            left_out=max(0, len(groups) - ITEMS_MAX),
        )

    def causes(self) -> Block:
        """Say on how many hosts each cause is."""
        if len(self._callers) <= 1:
            return Block()
        parts = [
            f"{wording.CAUSES[cause]} on {wording.plural(hosts, 'host')}"
            + (f" ({wording.plural(callers, 'caller')})" if callers > 1 else "")
            for cause, hosts, callers in fleet.causes(self._callers)
        ]
        lines = self._paper.paragraph("; ".join(parts) + ".", mark="Causes: ", is_hanging=False)
        return Block(items=[lines], least=2)

    def fixes(self) -> Block:
        """Say what has to be changed, once for all callers that need the same."""
        paper, found = self._paper, self._fixes
        items = []
        for place, each in enumerate(found[:ITEMS_MAX], 1):
            title = f"{fix_words.title(each, paper.arrow)}: {fix_words.size(each)}"
            lines = paper.paragraph(title, mark=f"{place}. ")
            if len(each.members) > 1:
                members = fix_words.members(each, MEMBERS_MAX, paper.arrow)
                lines += paper.paragraph(members, "dim", indent=INDENT + 1)
            items.append(lines)
        number = wording.plural(len(found), "change")
        callers = wording.plural(len(self._callers), "caller")
        return Block(
            paper.title(f"What to change: {number} for {callers} (how: --callers)"),
            items,
            least=4,
            noun="change",
            where="--callers",
            left_out=len(found) - len(items),
        )

    def owners(self) -> Block:
        """Say whose the instances are that are not SAFE."""
        paper = self._paper
        owners = fleet.owners(self._report, self._callers)
        called = {each.key: outlook.caller(each, paper.arrow) for each in self._callers}
        rows = [
            (
                paper.cell(outlook.owner(name), "bold"),
                Text(f"{wording.count(unsafe)} of {wording.count(total)}"),
                paper.cell(called.get(worst, "")),
            )
            for name, unsafe, total, worst in owners[:ITEMS_MAX]
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
            left_out=max(0, len(owners) - ITEMS_MAX),
        )
