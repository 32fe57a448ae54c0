"""Words a fix: what to change where, of whom it is asked, and what each host has of it.

The words may hold text of the log as it was recorded: each format neutralises what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from analyzer.report.formats import fixes, outlook, wording
from analyzer.report.formats.fixes import Fix, Share
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.result import Report
from analyzer.report.targets import Act

# Of versions, lines and places in a title; the rest is counted, and JSON has all.
_NAMED_MAX = 3
_NO_TOKENS: Mapping[str, str] = {
    "no_response": "get no answer",
    "rejected": "are refused",
    "not_found": "are answered with 404",
    "error": "are answered with an error",
}


def title(fix: Fix, arrow: str = "←") -> str:
    """Say in a line what to change."""
    return _TITLES[fix.target.act](fix, arrow)


def size(fix: Fix) -> str:
    """Say how many callers, hosts and calls it is of."""
    if not fix.members:
        number = wording.plural(len(fix.also), "caller")
        return f"{number} that another fix counts"
    callers = wording.plural(len(fix.members), "caller")
    hosts = wording.plural(fix.host_count, "host")
    return f"{callers} on {hosts}, {wording.plural(fix.calls, 'call')}"


def facts(fix: Fix, report: Report, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what is known of a fix, each with its label, without what is absent."""
    owners = (
        f"{outlook.owner(name)} ({wording.plural(number, 'host')})"
        for name, number in fixes.owners(report, fix).items()
    )
    hosts = [names.get(each, each) for each in fix.hosts[:_NAMED_MAX]]
    known = (
        ("Versions", ", ".join(fix.versions) if len(fix.versions) > 1 else ""),
        ("Example", _some(fix.places[:1], len(fix.places))),
        ("Hosts", wording.some(hosts, fix.host_count)),
        ("Owners", ", ".join(owners)),
    )
    return tuple((label, value) for label, value in known if value)


def member(caller: FleetCaller, arrow: str = "←") -> str:
    """Say who a caller of a fix is, and how much it calls."""
    hosts = wording.plural(caller.host_count, "host")
    calls = wording.plural(caller.calls, "call")
    return f"{outlook.caller(caller, arrow)} ({hosts}, {calls})"


def besides(caller: FleetCaller, arrow: str = "←") -> str:
    """Say that a caller needs a fix besides the one that it counts for."""
    return f"also {outlook.caller(caller, arrow)}, which counts for another"


def members(fix: Fix, limit: int, arrow: str = "←") -> str:
    """Name the first callers of a fix."""
    named = [outlook.caller(each, arrow) for each in fix.callers[:limit]]
    return wording.some(named, len(fix.members))


def share(each: Share, arrow: str = "←") -> str:
    """Say what one host has of a fix, without the host's name."""
    parts = [wording.plural(each.calls, "call")] if each.calls_of else []
    parts += [f"version {', '.join(each.versions)}"] if each.versions else []
    parts.append(", ".join(outlook.caller(one, arrow) for one in each.callers))
    return "; ".join(parts)


def _some(texts: tuple[str, ...], total: int) -> str:
    return wording.some(texts, total) if texts else ""


def _versions(fix: Fix) -> str:
    """Return the versions as a range, with a blank before it."""
    found = fix.versions
    if not found:
        return ""
    return f" {found[0]}" if len(found) == 1 else f" {found[0]} to {found[-1]}"


def _where(fix: Fix) -> str:
    """Return where it is; the very place if that is one only."""
    target = fix.target
    if not target.where:
        return ""
    is_path = "/" in target.where and " " not in target.where.partition("/")[0]
    if is_path and len(fix.places) == 1:
        return f" in {fix.places[0]}"
    return f" in {target.where}"


def _script(fix: Fix, arrow: str) -> str:
    del arrow
    place = fix.places[0] if len(fix.places) == 1 else fix.target.what
    numbers = ", ".join(map(str, fix.lines[:_NAMED_MAX]))
    more = len(fix.lines) - _NAMED_MAX
    lines = f":{numbers}{f' and {more} more lines' if more > 0 else ''}" if numbers else ""
    inside = f" in {fix.target.where}" if fix.target.where else ""
    return f"Ask for a token in {place}{lines}{inside}"


def _upgrade(fix: Fix, arrow: str) -> str:
    del arrow
    target, versions = fix.target, _versions(fix)
    if target.needed is None:
        return f"Upgrade {target.what}{versions}{_where(fix)}: see its release notes"
    goal = f"Upgrade {target.what}{versions}{_where(fix)} to {target.needed} or later"
    return goal if versions else f"{goal}, if it is older"


def _replace(fix: Fix, arrow: str) -> str:
    del arrow
    what = f"{fix.target.what}{_versions(fix)}{_where(fix)}"
    return f"Replace {what}: no version is known that needs no v1"


def _configure(fix: Fix, arrow: str) -> str:
    del arrow
    what = f"{fix.target.what}{_versions(fix)}{_where(fix)}"
    return f"Find the setting or code with which {what} asks without a token"


def _tokens(fix: Fix, arrow: str) -> str:
    del arrow
    what = _NO_TOKENS.get(fix.target.what, _NO_TOKENS["error"])
    where = "on hosts" if fix.target.where == "host" else f"in {fix.target.where}"
    return f"Let tokens through: token requests {what} {where}"


def _who(fix: Fix, arrow: str) -> str:
    return outlook.caller(fix.first, arrow)


_TITLES: Mapping[Act, Callable[[Fix, str], str]] = {
    Act.RESPOND: lambda f, arrow: f"Possible request forgery: {_who(f, arrow)}; see the incident",
    Act.UPGRADE_LIBRARY: _upgrade,
    Act.UPGRADE_PROGRAM: _upgrade,
    Act.UPGRADE_PACKAGE: _upgrade,
    Act.REPLACE: _replace,
    Act.EDIT_SCRIPT: _script,
    Act.EDIT_SOURCE: lambda f, _: f"Ask for a token in {f.target.what}{_where(f)}",
    Act.CONFIGURE: _configure,
    Act.RAISE_HOP_LIMIT: lambda *_: "Raise the hop limit to 2",
    Act.LET_TOKENS_THROUGH: _tokens,
    Act.SET_NO_PROXY: lambda f, _: f"Set NO_PROXY for the clients of {f.target.what}{_where(f)}",
    Act.TELL_PERSON: lambda f, _: f"Tell {f.target.what} to ask for a token",
    Act.LOOK: lambda f, arrow: f"Find out why {_who(f, arrow)} asks without a token",
}
