"""Words the sets of instances and the launch sources, the same in each format for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyzer.report.account.inventory import InstanceSet, Inventory, Kind, Member, Source
from analyzer.report.formats.wording import at, count, minute, plural
from analyzer.report.next_steps.systems_manager import worth

_TITLES = {
    Kind.V1_UNWATCHED: "IMDSv1 counted, not watched",
    Kind.V1_WATCHED: "watched, IMDSv1 seen",
    Kind.UNKNOWN: "not watched, nothing known",
    Kind.QUIET: "not watched, no IMDSv1 counted",
    Kind.UNDECIDED: "watched, not enough evidence",
    Kind.SAFE: "watched and SAFE",
    Kind.REQUIRED: "IMDSv1 refused already",
    Kind.OFF: "not running",
}
_MEANINGS = {
    Kind.V1_UNWATCHED: "Install the analyzer here first, where the most calls are.",
    Kind.V1_WATCHED: "Fix the callers that are named.",
    Kind.UNKNOWN: "Neither a log nor whole figures of CloudWatch: install the analyzer.",
    Kind.UNDECIDED: "No IMDSv1 was seen; the verdict of each says what is missing.",
    Kind.SAFE: "Require tokens: the next steps have the commands.",
    Kind.REQUIRED: "A count of 0 answered calls is so by itself there, and proves nothing.",
    Kind.OFF: "They are not judged. What they allow counts once they start.",
}


def title(kind: Kind, inventory: Inventory) -> str:
    """Name a set."""
    if kind is Kind.QUIET and inventory.days is not None:
        return f"{_TITLES[kind]} in {plural(inventory.days, 'day')}"
    return _TITLES[kind]


def meaning(kind: Kind, inventory: Inventory) -> str:
    """Say what to do with a set, and what the evidence is worth."""
    return worth(inventory) if kind is Kind.QUIET else _MEANINGS[kind]


def shown(inventory: Inventory) -> tuple[InstanceSet, ...]:
    """Return the sets that have an instance."""
    return tuple(each for each in inventory.sets if each.members)


def scope(inventory: Inventory) -> str:
    """Say of what the snapshots are, and from when."""
    instances = plural(sum(len(each.members) for each in inventory.sets), "instance")
    whole = "" if not inventory.failures else "; NOT WHOLE"
    return (
        f"{instances}, {plural(inventory.accounts, 'account')},"
        f" {plural(inventory.regions, 'Region')}, {at(inventory.taken_at)}{whole}"
    )


def calls(of: InstanceSet) -> str:
    """Say what AWS counted of a set."""
    parts = [f"{count(of.calls)} answered"] if of.calls else []
    parts += [f"{count(of.rejected)} refused"] if of.rejected else []
    return ", ".join(parts)


def instance(member: Member) -> str:
    """Name an instance of a set."""
    of = member.instance
    if of.id and of.name and of.name != of.id:
        return f"{of.id} ({of.name})"
    return of.id or of.name or "(no name)"


def place(member: Member) -> str:
    """Say in which account and Region an instance is."""
    of = member.instance
    return " ".join(each for each in (of.account, of.region) if each)


def facts(member: Member, called: Mapping[str, str]) -> str:
    """Say what is known of an instance of a set, in a line."""
    of = member.instance
    parts = [place(member), of.owner or ""]
    if member.tokenless:
        parts.append(f"{count(member.calls or 0)} answered")
        parts.append(f"{count(member.rejected)} refused" if member.rejected else "")
        parts.append(f"last in the hour of {minute(member.last_at)}" if member.last_at else "")
    elif member.calls is None and of.is_running:
        parts.append("no figures")
    parts.append(callers(member, called))
    return ", ".join(each for each in parts if each)


def callers(member: Member, called: Mapping[str, str]) -> str:
    """Name the callers in the way on an instance."""
    return "; ".join(called.get(each, each) for each in member.callers)


def most(of: InstanceSet, limit: int) -> Sequence[str]:
    """Name the first instances of a set."""
    return [instance(each) for each in of.members[:limit]]


def source(each: Source) -> str:
    """Say what a launch source is, and why a new instance of it would have v1."""
    owner = f", {each.owner}" if each.owner else ""
    notes = f" ({'; '.join(each.notes)})" if each.notes else ""
    doubt = "" if each.is_certain else "perhaps: "
    return (
        f"{each.kind} {each.name}, {each.account} {each.region}{owner}: {doubt}{each.reason}{notes}"
    )
