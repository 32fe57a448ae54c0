"""Writes one HTML page that needs nothing but itself: to read, filter, print and send on.

The page is a template, so that escaping is not left to the author's care: Jinja2 escapes every
value that is put into it, and before that :func:`analyzer.text.visible` takes away what a browser
would act on without showing it. No text is ever marked as safe. What is run and styled is named
by its hash in the page's own policy; a browser refuses all else, and every request.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from analyzer.errors import AnalyzerError
from analyzer.imds import AWS
from analyzer.report.formats import (
    ancestry,
    fix_words,
    fixes,
    fleet,
    fleet_chart,
    outlook,
    page_hosts,
    page_words,
    reason_words,
    selection,
    sets,
    timeline,
    wording,
)
from analyzer.report.result import Entry, Report
from analyzer.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

BOUNDS = selection.Bounds(
    callers_in_detail=100,
    callers_in_rows=500,
    hosts=500,
    commands=100,
    command_characters=100_000,
    differences=200,
    text=200,
)
TOP_CALLERS = 10
STANDINGS_MAX = 10  # hosts of one caller of which the page says what it did there
LISTED_MAX = 30  # groups without a log, owners, callers that were mended or accepted
# What a person copies at once; the other commands of a long list are folded away.
COMMANDS_OPEN = 6
COMMAND_LINES = 40  # of one command; a policy is shorter, a list of instances is not
# Of more, paper gets short rows of hosts, and callers without their process trees.
HOSTS_ON_PAPER = 10
CALLERS_ON_PAPER = 6
# Sources of a diagnosis may come from a user's own file; only these become links.
LINK_SCHEMES = ("https://",)


def as_text(report: Report) -> str:
    """Return the page. Raises AnalyzerError where Jinja2 is not installed."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    script = environment.get_template("report.js").render()
    page: str = environment.get_template("report.html").render(
        report=report,
        findings=report.findings,
        style_hash=_hash(style),
        script_hash=_hash(script),
        chart=timeline.chart(report.findings.timeline, report.findings.bucket_s),
        picture=fleet_chart.picture(report),
        names=fleet.names(report),
        bounds=BOUNDS,
        is_compact=len(report.host_verdicts) > HOSTS_ON_PAPER
        or len(selection.open_entries(report)) > CALLERS_ON_PAPER,
        **_callers(report),
    )
    return page


def _callers(report: Report) -> dict[str, object]:
    """Return what the page says of callers, and of the hosts that they are named beside."""
    labels = page_words.labels(each.group for each in (*report.entries, *report.shared))
    in_the_way = fleet.in_the_way(report)
    by_key = {each.key: each for each in in_the_way}
    open_entries = selection.open_entries(report)
    settled = selection.never_in_the_way(report)
    changes = fixes.of(report)
    return {
        "label": lambda entry: labels[(entry.group.key.caller, entry.group.key.provider)],
        "label_of": lambda key: labels.get((key, AWS), page_words.Label(key)),
        "caller_of": lambda entry: by_key.get(entry.group.key.caller),
        "top": _top(open_entries),
        "incidents": selection.first(report.incidents, LISTED_MAX),
        "detailed": open_entries[: BOUNDS.callers_in_detail],
        "first_advised": _first_advised(open_entries[: BOUNDS.callers_in_detail]),
        "rows": selection.first(open_entries[BOUNDS.callers_in_detail :], BOUNDS.callers_in_rows),
        "open_count": len(open_entries),
        "changes": selection.first(changes, BOUNDS.callers_in_detail),
        "change_count": len(changes),
        "in_the_way_count": len(in_the_way),
        "place_of_caller": {
            each.group.key.caller: place
            for place, each in enumerate(open_entries[: BOUNDS.callers_in_detail], 1)
        },
        "unlisted": selection.first(fleet.unlisted(report), LISTED_MAX),
        "settled": selection.first(settled, BOUNDS.callers_in_rows),
        "settled_count": len(settled),
        "cleared": selection.first(fleet.cleared(report), LISTED_MAX),
        "accepted": selection.first(report.accepted, LISTED_MAX),
        "causes": fleet.causes(in_the_way),
        "owners": selection.first(fleet.owners(report, in_the_way), LISTED_MAX),
        "hosts": page_hosts.table(report, labels, BOUNDS.hosts),
    }


def _environment() -> Environment:
    try:
        import jinja2  # noqa: F401, PLC0415 only this format needs it
    except ImportError as error:
        message = (
            "the HTML format needs Jinja2, which is not installed. "
            "Install it with: pip install 'imds-analyzer[report]'"
        )
        raise AnalyzerError(message) from error
    return _compiled()


@functools.lru_cache(maxsize=1)
def _compiled() -> Environment:
    """Return the templates. To compile them takes far longer than to make most pages."""
    import jinja2  # noqa: PLC0415 only this format needs it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("analyzer.report.formats", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        words=wording,
        fix_words=fix_words,
        said=reason_words,
        outlook=outlook,
        sets=sets,
        states=fleet_chart.STATES,
        limits={
            "standings": STANDINGS_MAX,
            "listed": LISTED_MAX,
            "commands_open": COMMANDS_OPEN,
            "command_lines": COMMAND_LINES,
        },
        tree=ancestry.tree,
        first=selection.first,
        fitting=selection.commands,
        obstacles_of=selection.obstacles,
        remarks_of=selection.remarks,
        is_link=_is_link,
    )
    environment.filters["cut"] = selection.cut
    environment.filters["pieces"] = page_words.pieces
    environment.filters["ids"] = page_words.ids
    return environment


def _shown(value: object) -> object:
    """Make each text that is put into the page visible; what macros made is markup already."""
    return visible(value) if type(value) is str else value


def _is_link(source: str) -> bool:
    return source.startswith(LINK_SCHEMES)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _top(entries: Sequence[Entry]) -> tuple[tuple[int, Entry, dict[str, float]], ...]:
    """Return the callers with the most requests in the way: place, entry, width per version."""
    ranked = sorted(
        enumerate(entries[: BOUNDS.callers_in_detail], 1), key=lambda each: -_in_the_way(each[1])
    )[:TOP_CALLERS]
    highest = max((_in_the_way(entry) for _, entry in ranked), default=1)
    return tuple(
        (
            place,
            entry,
            {
                version: round(100 * entry.group.count(version) / highest, 2)
                for version in ("v1", "unknown")
            },
        )
        for place, entry in ranked
    )


def _first_advised(entries: Sequence[Entry]) -> list[Optional[Entry]]:
    """Return for each caller an earlier one that is told to do the same, for paper."""
    first: dict[object, Entry] = {}
    found = []
    for entry in entries:
        told = (entry.diagnosis.advice, entry.diagnosis.commands)
        found.append(first.get(told))
        first.setdefault(told, entry)
    return found


def _in_the_way(entry: Entry) -> int:
    return entry.group.count("v1") + entry.group.count("unknown")
