"""Writes what to change, in Markdown: a row for each change, and behind it what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analyzer.report.formats import fix_words, fixes, outlook, selection, wording
from analyzer.report.formats.fixes import Fix
from analyzer.report.formats.markdown_text import BOUNDS, code, left_out, prose, table
from analyzer.report.formats.selection import Detail
from analyzer.report.result import Report

_NAMED_MAX = 5  # callers of a change in its row
_HEADINGS = (
    "",
    "change",
    "callers",
    "hosts",
    "calls",
    "versions",
    "owners",
    "who calls",
    "example",
)


def changes(report: Report, names: Mapping[str, str], detail: Detail) -> Iterator[str]:
    """Write the changes; nothing if no caller is in the way."""
    found = fixes.of(report)
    if not found:
        return
    yield f"### What to change ({wording.count(len(found))})"
    yield ""
    is_whole = detail.callers or detail.by_host
    shown = selection.first(found, len(found) if is_whole else BOUNDS.callers_in_rows)
    rows = (_row(place, each, report, detail) for place, each in enumerate(shown.items, 1))
    yield from table(_HEADINGS, rows, numbers=(0, 2, 3, 4))
    yield from left_out(shown.left_out, "more change", "--callers")
    if detail.by_host:
        yield from _by_host(found, names)


def _row(place: int, fix: Fix, report: Report, detail: Detail) -> tuple[str, ...]:
    limit = len(fix.members) if detail.callers else _NAMED_MAX
    named = ", ".join(code(outlook.caller(each)) for each in fix.callers[:limit])
    rest = len(fix.members) - limit
    besides = ", ".join(code(outlook.caller(each.caller)) for each in fix.also[:_NAMED_MAX])
    owners = (
        f"{code(outlook.owner(name))} {wording.count(number)}"
        for name, number in fixes.owners(report, fix).items()
    )
    return (
        f"{place}",
        prose(fix_words.title(fix)),
        wording.count(len(fix.members)),
        wording.count(fix.host_count),
        wording.count(fix.calls),
        ", ".join(map(code, fix.versions)),
        ", ".join(owners),
        named + (f", {wording.count(rest)} more" if rest > 0 else "")
        + (f"; also {besides}" if besides else ""),
        code(fix.places[0]) if fix.places else "",
    )  # fmt: skip


def _by_host(found: tuple[Fix, ...], names: Mapping[str, str]) -> Iterator[str]:
    rows = (
        (
            code(names.get(share.host, share.host)),
            f"{place}",
            wording.count(share.calls) if share.calls_of else "",
            ", ".join(map(code, share.versions)),
            ", ".join(code(outlook.caller(each)) for each in share.callers),
        )
        for place, fix in enumerate(found, 1)
        for share in fix.by_host()
    )
    yield from table(("host", "change", "calls", "versions", "callers"), rows, numbers=(1, 2))
