"""Lists all hosts, all callers and all steps, for ``--hosts``, ``--callers`` and ``--steps``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from rich.text import Text

from analyzer.imds import AWS
from analyzer.report.account.inventory import Inventory
from analyzer.report.formats import ancestry, fleet, outlook, selection, sets, wording
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.formats.meeting import BOUNDS, advice
from analyzer.report.formats.meeting_instances import JUDGEMENT_STYLES
from analyzer.report.formats.paper import INDENT, LABEL_COLUMNS, Column, Lines, Paper
from analyzer.report.result import STANDINGS, Entry, Report, Verdict
from analyzer.report.roster.instances import Instance

VERSION_STYLES = {"v1": "bold red", "unknown": "yellow", "v2": "green"}
# A host's own callers say the same, with all of them.
_OF_CALLERS = frozenset(("v1_calls", "v1_rejected", "rare_caller", "boot_caller", "accepted",
                         "mended", "stopped_calling"))  # fmt: skip
# Stands elsewhere already, or is not worth a terminal's few lines.
_LEFT_OUT = {"Place", "Users", "First seen", "Last seen", "Last IMDSv1", "Days with IMDSv1"}
_SHORTER = {
    "Other user agents": "Other agents",
    "Failed token requests before": "Token failed",
    "Forwarded for others": "Forwarded",
}
_ROWS = (
    Column("caller", is_flexible=True),
    *(Column(version, is_number=True) for version in wording.VERSIONS),
    Column("cause", gives_way=1),
)


class Listing:
    """Makes the lists; they are as long as they have to be."""

    def __init__(self, report: Report, paper: Paper) -> None:
        self._report = report
        self._paper = paper
        self._names = fleet.names(report)

    def hosts(self) -> Lines:
        """Return every host with its verdict, the reasons for it, and its callers."""
        report, paper = self._report, self._paper
        instances = fleet.by_host(report)
        called = _called(report, paper)
        lines = paper.title(f"Hosts: {wording.judgements(report)}") if report.host_verdicts else []
        for each in selection.all_hosts(report):
            lines += self._host(each, instances.get(each.host or ""), called)
        if report.inventory is not None:
            return lines + self._sets(report.inventory, called)
        return lines + self._unwatched()

    def _sets(self, inventory: Inventory, called: Mapping[str, str]) -> Lines:
        """Return every instance by its set, and what would be made anew with IMDSv1."""
        paper = self._paper
        lines: Lines = []
        for of in sets.shown(inventory):
            name = sets.title(of.kind, inventory)
            lines += paper.title(f"{wording.plural(len(of.members), 'instance')}: {name}")
            lines += paper.paragraph(sets.meaning(of.kind, inventory), "dim")
            for each in of.members:
                text = f"{sets.instance(each)}: {sets.facts(each, called)}"
                lines += paper.paragraph(text, mark="- ", is_whole=True)
        if inventory.launches:
            lines += paper.title(
                f"Would be made anew with IMDSv1: {wording.count(len(inventory.launches))}"
            )
            for source in inventory.launches:
                lines += paper.paragraph(sets.source(source), mark="- ", is_whole=True)
        return lines

    def _host(
        self, verdict: Verdict, instance: Optional[Instance], called: Mapping[str, str]
    ) -> Lines:
        paper = self._paper
        name = self._names.get(verdict.host or "", verdict.host or "")
        lines = paper.pair(
            paper.text(name, "bold"),
            Text(verdict.judgement.value, JUDGEMENT_STYLES[verdict.judgement]),
        )
        if instance is not None:
            lines += paper.paragraph(outlook.belongs(instance), "dim", indent=INDENT)
        date = outlook.date(verdict)
        if date is not None and verdict.safe_on is not None:
            lines += paper.paragraph(date, indent=INDENT)
        for text in self._reasons(verdict):
            lines += paper.paragraph(text, mark="- ", indent=INDENT, is_whole=True)
        for each in sorted(verdict.callers, key=lambda one: STANDINGS.index(one.standing)):
            mark = f"{called.get(each.caller, each.caller)}: "
            text = outlook.standing(each, self._names)
            lines += paper.paragraph(f"{mark}{text}", mark="- ", indent=INDENT, is_whole=True)
        return lines

    def _reasons(self, verdict: Verdict) -> Sequence[str]:
        if not verdict.callers:
            return wording.reasons(verdict, self._report)
        return [each.text for each in verdict.reasons if each.code not in _OF_CALLERS]

    def _unwatched(self) -> Lines:
        roster = self._report.roster
        if roster is None or not roster.unwatched:
            return []
        paper = self._paper
        number = wording.plural(len(roster.unwatched), "running instance")
        lines = paper.title(f"Without a log: {number}")
        for each in roster.unwatched:
            text = f"{outlook.instance(each)}: {outlook.belongs(each)}"
            lines += paper.paragraph(text, mark="- ")
        return lines

    def callers(self) -> Lines:
        """Return every caller with what is known of it, and every decision on one."""
        report, paper = self._report, self._paper
        callers = fleet.in_the_way(report)
        lines = self._incidents()
        lines += paper.title(f"Callers in the way ({wording.count(len(callers))})")
        if not callers:
            lines += paper.paragraph(wording.nobody(report))
        for place, each in enumerate(callers, 1):
            lines += [Text(""), *self._caller(place, each)]
        return [*lines, *self._cleared(), *self._settled(), *self._decisions()]

    def _incidents(self) -> Lines:
        """Return what is an incident first, with all that is to be done."""
        paper = self._paper
        found = self._report.incidents
        lines = paper.title(f"Possible incidents ({wording.count(len(found))})") if found else []
        for each in found:
            lines += paper.paragraph(wording.who(each.group.key, paper.arrow), "bold", mark="! ")
            lines += advice(paper, each)
        return lines

    def _caller(self, place: int, caller: FleetCaller) -> Lines:
        paper = self._paper
        name = paper.text(f"{place}. {outlook.caller(caller, paper.arrow)}", "bold")
        if caller.entry is None:
            calls = Text(f"{wording.count(caller.calls)} v1", VERSION_STYLES["v1"])
            return [*paper.pair(name, calls), *self._standings(caller)]
        group = caller.entry.group
        counts = Text(", ").join(
            Text(f"{wording.count(group.count(version))} {version}", VERSION_STYLES[version])
            for version in wording.VERSIONS
            if group.count(version)
        )
        lines = paper.pair(name, counts)
        if caller.entry.is_incident:  # what to do stands above
            lines += paper.paragraph(caller.entry.diagnosis.summary, indent=INDENT)
        else:
            lines += advice(paper, caller.entry)
        for label, value in self._facts(caller.entry):
            mark = f"{label:{LABEL_COLUMNS}}"
            lines += paper.paragraph(value, "dim", mark=mark, indent=INDENT)
        return lines + self._standings(caller)

    def _standings(self, caller: FleetCaller) -> Lines:
        """Return what it means on each host: the hosts of which the same is true together."""
        paper = self._paper
        return [
            line
            for text, names in outlook.by_standing(caller, self._names)
            for line in paper.paragraph(
                f"{', '.join(names)}: {text}", mark="- ", indent=INDENT, is_whole=True
            )
        ]

    def _facts(self, entry: Entry) -> Iterator[tuple[str, str]]:
        group = entry.group
        seen = f"{wording.moment(group.first_at)} to {wording.moment(group.last_at)}"
        if group.last_v1_at is not None and group.last_v1_at != group.last_at:
            seen += f", v1 until {wording.moment(group.last_v1_at)}"
        yield "Seen", seen if group.key.place == "host" else f"{seen}, in {group.key.place}"
        for label, value in wording.facts(entry, self._names):
            if label not in _LEFT_OUT:
                yield _SHORTER.get(label, label), value
        processes = ancestry.tree(group.example).processes
        if processes:
            line = f" {self._paper.arrow} ".join(each.command for each in reversed(processes))
            yield "Example", selection.cut(line, BOUNDS.text)

    def _cleared(self) -> Lines:
        callers = fleet.cleared(self._report)
        if not callers:
            return []
        paper = self._paper
        lines = paper.title(f"Callers no longer in the way ({wording.count(len(callers))})")
        for each in callers:
            lines += paper.paragraph(outlook.caller(each, paper.arrow), "bold")
            lines += self._standings(each)
        return lines

    def _settled(self) -> Lines:
        """Return a row for each caller that never had to change."""
        entries = selection.never_in_the_way(self._report)
        if not entries:
            return []
        paper = self._paper
        title = paper.title(f"Callers with nothing to do ({wording.count(len(entries))})")
        return [*title, *paper.grid(_ROWS, [self._row(each) for each in entries])]

    def _row(self, entry: Entry) -> Sequence[Text]:
        paper, group = self._paper, entry.group
        is_aws = group.key.provider == AWS
        counts = ((version, group.count(version)) for version in wording.VERSIONS)
        return (
            paper.cell(wording.who(group.key, paper.arrow)),
            *(
                Text(wording.count(number), VERSION_STYLES[version] if is_aws and number else "dim")
                for version, number in counts
            ),
            Text(wording.CAUSES[entry.diagnosis.cause]),
        )

    def _decisions(self) -> Lines:
        accepted = self._report.accepted
        if not accepted:
            return []
        paper = self._paper
        lines = paper.title(f"Accepted with --accept ({wording.count(len(accepted))})")
        for each in accepted:
            lines += paper.paragraph(outlook.decision(each, self._report), mark="- ")
        return lines

    def steps(self) -> Lines:
        """Return what to do next, with the commands."""
        paper, steps = self._paper, self._report.steps
        lines = paper.title("What to do next") if steps else []
        for place, each in enumerate(steps, 1):
            lines += paper.paragraph(each.title, "bold", mark=f"{place}. ")
            lines += paper.paragraph(each.why, indent=INDENT)
            lines += paper.commands(each.commands, BOUNDS)
        return lines


def _called(report: Report, paper: Paper) -> Mapping[str, str]:
    callers = (*fleet.in_the_way(report), *fleet.cleared(report))
    return {each.key: outlook.caller(each, paper.arrow) for each in callers}
