"""Knows what the findings say beyond one group: the token requests of a job, where logs begin."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from analyzer.logline.line import text_at
from analyzer.report.callers import Group
from analyzer.report.findings import Findings
from analyzer.report.hosts import Host

# The last part of a key says the job, if it is one of these.
_OF_JOB = ("by=", "cron=", "script=", "package=")
_SUCCESS = "success"


@dataclass(frozen=True)
class TokenRequests:
    """The token requests of one job, whichever process made them: counts by outcome.

    ``got`` counts those that were sent with another method than PUT, which get no token.
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    got: int = 0

    @property
    def failed(self) -> Mapping[str, int]:
        """The token requests that got no token, by outcome."""
        return {name: count for name, count in self.outcomes.items() if name != _SUCCESS}

    @property
    def succeeded(self) -> int:
        """The token requests that got a token."""
        return self.outcomes.get(_SUCCESS, 0)


@dataclass(frozen=True)
class Surroundings:
    """The facts beyond a group; empty for a group that is looked at alone."""

    by_job: Mapping[str, TokenRequests] = field(default_factory=dict)
    hosts: Sequence[Host] = ()

    def token_requests(self, group: Group) -> TokenRequests:
        """Return the token requests of a group's job."""
        return self.by_job.get(_job(group), _summed((group,)))

    def maybe_began_at(self, group: Group) -> Optional[datetime.datetime]:
        """Return when the log of the example's host begins, None where that is not known."""
        name = text_at(group.example, "host", "name")
        instance = text_at(group.example, "cloud", "instance", "id")
        for host in self.hosts:
            if (instance and host.instance_id == instance) or (
                not instance and name in (host.name, *host.names)
            ):
                return min((host.first_at, *(each.start for each in host.covered)))
        return None


# Of a group that is looked at without the others.
ALONE = Surroundings()


def surroundings_of(findings: Findings) -> Surroundings:
    """Return what all findings together say."""
    jobs: dict[str, list[Group]] = {}
    for group in findings.groups:
        jobs.setdefault(_job(group), []).append(group)
    by_job = {job: _summed(groups) for job, groups in jobs.items()}
    return Surroundings(by_job, findings.hosts)


def _job(group: Group) -> str:
    """Return a key without the program that was called: the tools of one script have it alike."""
    head, _, last = group.key.caller.rpartition(";")
    word = next((each for each in _OF_JOB if last.startswith(each)), None)
    if word is None:
        return f"{group.key.provider};{group.key.caller}"
    parts = [each for each in head.split(";") if not each.startswith("program=")]
    return ";".join((group.key.provider, *parts, last.removeprefix(word)))


def _summed(groups: Sequence[Group]) -> TokenRequests:
    outcomes: Counter[str] = Counter()
    got = 0
    for group in groups:
        for each in group.tallies:
            if each.operation != "token":
                continue
            if each.version == "v1":
                got += each.requests
            elif each.outcome is not None and each.reason == "token_request":
                outcomes[each.outcome] += each.requests
    return TokenRequests(dict(outcomes), got)
