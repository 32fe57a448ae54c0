"""Adds up the standings of callers over the hosts: who is in the way, where, and who owns that.

Formats show these numbers; none of them decides anything.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.imds import AWS
from analyzer.report.callers import HOSTS_LISTED_MAX
from analyzer.report.result import (
    CLEARED,
    STANDINGS,
    CallerStanding,
    Cause,
    Entry,
    Judgement,
    Report,
    Standing,
)
from analyzer.report.roster.instances import Instance

# A reason of this code is about requests that no standing accounts for.
_UNREADABLE = "unknown_versions"


@dataclass(frozen=True)
class FleetCaller:
    """One caller over all hosts, as far as it is in the way, or as far as it is not.

    ``standings`` are by the key of the host that they count for. There is no ``entry`` where
    ``--since`` leaves its calls out of the lists, and no standing where nothing judged it.
    """

    key: str
    entry: Optional[Entry]
    standings: Mapping[str, CallerStanding]
    is_unreadable: bool = False  # only for requests that could not be read

    @property
    def standing(self) -> Optional[Standing]:
        """The worst on any host."""
        found = {each.standing for each in self.standings.values()}
        return min(found, key=STANDINGS.index, default=None)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The keys of the hosts that it counts for."""
        if self.standings or self.entry is None:
            return tuple(self.standings)
        group = self.entry.group
        return group.hosts if self.is_unreadable else group.v1_hosts

    @property
    def host_count(self) -> int:
        """The number of these hosts; an entry lists only the first of its hosts."""
        if self.standings or self.entry is None:
            return len(self.standings)
        group = self.entry.group
        is_cut = len(group.v1_hosts) >= HOSTS_LISTED_MAX
        return group.host_count if self.is_unreadable or is_cut else len(group.v1_hosts)

    @property
    def calls(self) -> int:
        """Its calls on these hosts: IMDSv1, or such that could not be read."""
        if not self.standings and self.entry is not None:
            return self.entry.group.count("unknown" if self.is_unreadable else "v1")
        seen = {each.former or host: each.calls for host, each in self.standings.items()}
        return sum(seen.values())

    @property
    def last_v1_at(self) -> Optional[datetime.datetime]:
        """Its last IMDSv1 call on these hosts."""
        if self.standings:
            return max(each.last_v1_at for each in self.standings.values())
        return self.entry.group.last_v1_at if self.entry is not None else None

    @property
    def safe_on(self) -> Optional[datetime.datetime]:
        """The day when the caller no longer blocks the switch; None if time alone is not enough."""
        dates = [each.safe_on for each in self.standings.values()]
        known = [each for each in dates if each is not None]
        return max(known) if known and len(known) == len(dates) else None

    @property
    def cause(self) -> Cause:
        """The reason why it calls, as far as it is known."""
        return Cause.UNKNOWN if self.entry is None else self.entry.diagnosis.cause


def in_the_way(report: Report) -> tuple[FleetCaller, ...]:
    """Return the callers that keep a host from SAFE: the worst first, and of these the commonest.

    A caller of IMDSv1 that nothing judged is in the way: nothing says that it no longer counts.
    """
    judged = _standings(report)
    entries = _entries(report)
    is_unreadable = _is_unreadable(report)
    found = []
    for key in dict.fromkeys([*entries, *judged]):
        entry = entries.get(key)
        standings = judged.get(key, {})
        left = {host: each for host, each in standings.items() if each.standing not in CLEARED}
        if entry is not None and not standings and any(entry is each for each in report.shared):
            continue
        is_unjudged = not standings and entry is not None and bool(entry.group.count("v1"))
        has_unread = is_unreadable and entry is not None and bool(entry.group.count("unknown"))
        if left or is_unjudged or has_unread:
            found.append(FleetCaller(key, entry, left, not left and not is_unjudged))
    return tuple(sorted(found, key=lambda each: (_rank(each.standing), -each.host_count)))


def unlisted(report: Report) -> tuple[FleetCaller, ...]:
    """Return the callers in the way that are none of the report's entries.

    ``--since`` leaves their calls out, or another part of the report lists them.
    """
    listed = {id(each) for each in report.entries}
    return tuple(each for each in in_the_way(report) if id(each.entry) not in listed)


def cleared(report: Report) -> tuple[FleetCaller, ...]:
    """Return the callers that used IMDSv1 on a host and no longer count there."""
    entries = _entries(report)
    found = []
    for key, standings in _standings(report).items():
        done = {host: each for host, each in standings.items() if each.standing in CLEARED}
        if done:
            found.append(FleetCaller(key, entries.get(key), done))
    return tuple(sorted(found, key=lambda each: _rank(each.standing)))


def names(report: Report) -> Mapping[str, str]:
    """Return what to call each host, by its key: its name, with its id where two are alike."""
    known = {each.key: each.name for each in report.findings.hosts}
    known.update({each.host: each.name for each in report.host_verdicts if each.host and each.name})
    alike = Counter(known.values())
    ids = {each.key: each.instance_id or each.key for each in report.findings.hosts}
    return {
        key: name if alike[name] == 1 else f"{name} ({ids.get(key, key)})"
        for key, name in known.items()
    }


def by_host(report: Report) -> Mapping[str, Instance]:
    """Return the instances of the roster that have a log, by the key of the host."""
    instances = report.roster.instances if report.roster is not None else ()
    return {each.host: each for each in instances if each.host is not None}


def owners(report: Report, callers: Iterable[FleetCaller]) -> tuple[tuple[str, int, int, str], ...]:
    """Return each owner: the name, how many hosts are not SAFE, of how many, and why.

    The last is the caller that is in the way on the most of them, or nothing. Who owns callers, but
    no host, has the hosts on which these call: not SAFE are those where one is in the way. Empty if
    nothing tells owners.
    """
    callers = tuple(callers)
    of_callers = _owners_of_callers(report, callers)
    owner = {key: each.owner for key, each in by_host(report).items() if each.owner}
    total: Counter[str] = Counter()
    unsafe: Counter[str] = Counter()
    for each in report.host_verdicts:
        name = owner.get(each.host or "", "")
        total[name] += 1
        unsafe[name] += each.judgement is not Judgement.SAFE
    blamed: dict[str, Counter[str]] = {}
    for caller in callers:
        for host in caller.hosts:
            blamed.setdefault(owner.get(host, ""), Counter())[caller.key] += 1
    rows = []
    for name, number in sorted(unsafe.items(), key=lambda pair: (-pair[1], pair[0])):
        worst = max(blamed.get(name, Counter()).items(), key=lambda pair: pair[1], default=("", 0))
        rows.append((name, number, total[name], worst[0]))
    of_hosts = tuple(each for each in rows if each[1]) if owner else ()
    known = {each[0] for each in of_hosts}
    return (*of_hosts, *(each for each in of_callers if each[0] not in known))


def _owners_of_callers(
    report: Report, callers: Sequence[FleetCaller]
) -> tuple[tuple[str, int, int, str], ...]:
    """Return the same for who owns callers, by a pattern or a label of their pods."""
    called: dict[str, set[str]] = {}
    for entry in report.entries:
        if entry.owner is not None:
            called.setdefault(entry.owner, set()).update(entry.group.hosts)
    blocked: dict[str, set[str]] = {}
    worst: dict[str, tuple[int, str]] = {}
    for caller in callers:
        name = caller.entry.owner if caller.entry is not None else None
        if name is not None:
            blocked.setdefault(name, set()).update(caller.hosts)
            if len(caller.hosts) > worst.get(name, (0, ""))[0]:
                worst[name] = len(caller.hosts), caller.key
    rows = (
        (name, len(hosts), len(hosts | called.get(name, set())), worst.get(name, (0, ""))[1])
        for name, hosts in blocked.items()
    )
    return tuple(sorted((each for each in rows if each[1]), key=lambda row: (-row[1], row[0])))


def causes(callers: Iterable[FleetCaller]) -> tuple[tuple[Cause, int, int], ...]:
    """Return each cause with the number of hosts and of callers, the most hosts first."""
    hosts: dict[Cause, set[str]] = {}
    unlisted: Counter[Cause] = Counter()
    number: Counter[Cause] = Counter()
    for each in callers:
        hosts.setdefault(each.cause, set()).update(each.hosts)
        unlisted[each.cause] = max(unlisted[each.cause], each.host_count)
        number[each.cause] += 1
    counted = ((cause, max(len(hosts[cause]), unlisted[cause]), number[cause]) for cause in hosts)
    return tuple(sorted(counted, key=lambda each: -each[1]))


def _standings(report: Report) -> dict[str, dict[str, CallerStanding]]:
    found: dict[str, dict[str, CallerStanding]] = {}
    for verdict in report.host_verdicts:
        for each in verdict.callers:
            of_caller = found.setdefault(each.caller, {})
            host = verdict.host or each.host
            # One host may have it from several former ones of its group: the worst counts.
            former = of_caller.get(host)
            if former is None or _rank(each.standing) < _rank(former.standing):
                of_caller[host] = each
    return found


def _entries(report: Report) -> dict[str, Entry]:
    every = (*report.shared, *report.entries)
    return {each.group.key.caller: each for each in every if each.group.key.provider == AWS}


def _is_unreadable(report: Report) -> bool:
    """Return whether requests that could not be read are a reason of any verdict."""
    verdicts = (report.verdict, *report.host_verdicts)
    return any(reason.code == _UNREADABLE for each in verdicts for reason in each.reasons)


def _rank(standing: Optional[Standing]) -> int:
    return -1 if standing is None else STANDINGS.index(standing)
