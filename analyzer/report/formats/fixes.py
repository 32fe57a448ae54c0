"""Groups the callers that are in the way by what has to be changed: one entry for each fix.

Each caller counts for exactly one fix, that of its first target. If it has more, the fixes of the
others name it, too, without counting it. So sums over the fixes are those of the report.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analyzer.clients.versions import ProgramVersion, maybe_version
from analyzer.report.formats import fleet
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.result import STANDINGS, Report
from analyzer.report.targets import Act, Seen, Target


@dataclass(frozen=True)
class Member:
    """A caller, and the fix's target as it was seen of it."""

    caller: FleetCaller
    target: Target


@dataclass(frozen=True)
class Share:
    """One host's share of a fix: its calls, the versions seen there, and the callers.

    ``calls_of`` is by the key of the host that made the calls: a former instance of its group
    may have, and then counts for several hosts.
    """

    host: str
    calls_of: Mapping[str, int]
    versions: tuple[str, ...]
    callers: tuple[FleetCaller, ...]

    @property
    def calls(self) -> int:
        """The calls that count for it."""
        return sum(self.calls_of.values())


@dataclass(frozen=True)
class Fix:
    """One change, with the callers that it is the fix of; ``also`` need it besides their own."""

    target: Target
    members: tuple[Member, ...]
    also: tuple[Member, ...] = ()

    @property
    def callers(self) -> tuple[FleetCaller, ...]:
        """The callers that count for it, the worst first."""
        return tuple(each.caller for each in self.members)

    @property
    def first(self) -> FleetCaller:
        """The caller whose advice is shown: the worst of those that count."""
        return (*self.members, *self.also)[0].caller

    @property
    def calls(self) -> int:
        """The calls of the callers that count."""
        return sum(each.calls for each in self.callers)

    @functools.cached_property
    def hosts(self) -> tuple[str, ...]:
        """The keys of the hosts of the callers that count, as far as they are listed."""
        return tuple(dict.fromkeys(host for each in self.callers for host in each.hosts))

    @property
    def host_count(self) -> int:
        """The number of these hosts. A caller that was not judged lists only the first ones."""
        return max([len(self.hosts), *(each.host_count for each in self.callers)])

    @property
    def standing(self) -> int:
        """The rank of the worst of its callers; the smaller, the worse."""
        return min((_rank(each) for each in self.callers), default=len(STANDINGS))

    @functools.cached_property
    def seen(self) -> tuple[Seen, ...]:
        """The facts that were seen of it, of all its callers."""
        every = (seen for each in (*self.members, *self.also) for seen in each.target.seen)
        return tuple(dict.fromkeys(every))

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that were seen, the lowest first."""
        return _versions(self.seen)

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of a script."""
        return tuple(sorted({each.line for each in self.seen if each.line}))

    @property
    def places(self) -> tuple[str, ...]:
        """The places where it was seen; the first is the example."""
        return tuple(dict.fromkeys(each.place for each in self.seen if each.place))

    def by_host(self) -> tuple[Share, ...]:
        """Return what each host has of it, the most calls first.

        Of a caller that nothing judged, no calls are known by host, unless it has one host only.
        """
        found: dict[str, list[Member]] = {}
        for each in self.members:
            for host in each.caller.hosts:
                found.setdefault(host, []).append(each)
        shares = (_share(host, members) for host, members in found.items())
        return tuple(sorted(shares, key=lambda each: (-each.calls, each.host)))


def of(report: Report) -> tuple[Fix, ...]:
    """Return the fixes of a report: incidents first, then the worst, and the most hosts."""
    counted: dict[Target, list[Member]] = {}
    besides: dict[Target, list[Member]] = {}
    for caller in fleet.in_the_way(report):
        first, *others = targets(caller)
        counted.setdefault(first, []).append(Member(caller, first))
        for target in others:
            besides.setdefault(target, []).append(Member(caller, target))
    fixes = (
        Fix(target, tuple(counted.get(target, ())), tuple(besides.get(target, ())))
        for target in dict.fromkeys((*counted, *besides))
    )
    return tuple(sorted(fixes, key=_order))


def place_of(fixes: Iterable[Fix]) -> Mapping[str, int]:
    """Return the number of each caller's fix, from 1 on, by the caller's key."""
    return {each.key: place for place, fix in enumerate(fixes, 1) for each in fix.callers}


def targets(caller: FleetCaller) -> tuple[Target, ...]:
    """Return what has to be changed for a caller; one that nothing is known of stands alone."""
    if caller.entry is not None and caller.entry.targets:
        return caller.entry.targets
    return (Target(Act.LOOK, caller.key),)


def owners(report: Report, fix: Fix) -> Mapping[str, int]:
    """Return on how many of a fix's hosts each owner is asked; "" is nobody known.

    Empty without a roster that tells owners.
    """
    instances = fleet.by_host(report)
    owner = {key: each.owner for key, each in instances.items() if each.owner}
    found: dict[str, int] = {}
    for host in fix.hosts if owner else ():
        name = owner.get(host) or ""
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _order(fix: Fix) -> tuple[bool, bool, int, int, int]:
    is_incident = fix.target.act is Act.RESPOND
    return not is_incident, not fix.members, fix.standing, -fix.host_count, -fix.calls


def _rank(caller: FleetCaller) -> int:
    standing = caller.standing
    return -1 if standing is None else STANDINGS.index(standing)


def _share(host: str, members: list[Member]) -> Share:
    calls: dict[str, int] = {}
    seen: list[Seen] = []
    for each in members:
        standing = each.caller.standings.get(host)
        if standing is not None:
            by = standing.former or host
            calls[by] = calls.get(by, 0) + standing.calls
        elif each.caller.host_count == 1:
            calls[host] = calls.get(host, 0) + each.caller.calls
        seen += [one for one in each.target.seen if not one.hosts or host in one.hosts]
    return Share(host, calls, _versions(seen), tuple(each.caller for each in members))


def _versions(seen: Iterable[Seen]) -> tuple[str, ...]:
    return tuple(sorted({each.version for each in seen if each.version}, key=_version_key))


def _version_key(text: str) -> tuple[ProgramVersion, str]:
    return maybe_version(text) or ProgramVersion((), False), text
