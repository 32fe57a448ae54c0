"""Writes the sets of instances of snapshots, and the launch sources, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.report.account.inventory import InstanceSet, Inventory
from analyzer.report.formats import fleet, outlook, selection, sets, wording
from analyzer.report.formats.markdown_text import BOUNDS, code, left_out, prose, table
from analyzer.report.result import Report

_NAMED_MAX = 3  # instances of a set, in the summary


def account(report: Report, inventory: Inventory) -> Iterator[str]:
    """Write the number of each set, then the instances of those that need something."""
    yield f"### {sets.scope(inventory)}"
    yield ""
    rows = (
        (
            wording.count(len(of.members)),
            prose(sets.title(of.kind, inventory)),
            prose(sets.calls(of)),
            ", ".join(map(code, sets.most(of, _NAMED_MAX))),
            prose(sets.meaning(of.kind, inventory)),
        )
        for of in sets.shown(inventory)
    )
    yield from table(("instances", "set", "calls without a token", "first", ""), rows, numbers=(0,))
    called = {each.key: outlook.caller(each) for each in fleet.in_the_way(report)}
    for of in sets.shown(inventory):
        if of.calls or of.rejected or any(each.callers for each in of.members):
            yield from _members(of, inventory, called)
    yield from _launches(inventory)


def _members(of: InstanceSet, inventory: Inventory, called: dict[str, str]) -> Iterator[str]:
    yield f"#### {prose(sets.title(of.kind, inventory))}"
    yield ""
    shown = selection.first(of.members, BOUNDS.hosts)
    rows = (
        (
            code(sets.instance(each)),
            code(sets.place(each)) if sets.place(each) else "",
            code(each.instance.owner) if each.instance.owner else "",
            "" if each.calls is None else wording.count(each.calls),
            "" if each.rejected is None else wording.count(each.rejected),
            ", ".join(code(called.get(key, key)) for key in each.callers),
        )
        for each in shown.items
    )
    headings = ("instance", "account, Region", "owner", "answered", "refused", "callers")
    yield from table(headings, rows, numbers=(3, 4))
    yield from left_out(shown.left_out, "more instance", "--format json")


def _launches(inventory: Inventory) -> Iterator[str]:
    if not inventory.launches:
        return
    yield f"#### Would be made anew with IMDSv1 ({wording.count(len(inventory.launches))})"
    yield ""
    shown = selection.first(inventory.launches, BOUNDS.hosts)
    yield from (f"- {prose(sets.source(each))}" for each in shown.items)
    yield ""
    yield from left_out(shown.left_out, "more launch source", "--format json")
