"""Collects a snapshot: all accounts, all Regions, a bounded number of them at a time."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, NamedTuple, Optional, Union

from analyzer import __version__
from analyzer.account.model import Account, Failure, Period, RegionFacts, Snapshot
from analyzer.audit.access import Access, Requests
from analyzer.audit.accounts import OpenAccount, Wanted, find_accounts, open_account, own_account
from analyzer.audit.region import RegionRead, read_region
from analyzer.audit.workers import Workers

# Regions at a time. More of them would only be throttled sooner, in organizations above all.
WORKERS = 8


class Progress(NamedTuple):
    """State of the collection. ``regions`` counts the Regions that are known so far."""

    accounts: int
    regions: int
    regions_read: int
    instances: int


Tell = Callable[[Progress], None]


@dataclass
class _Collected:
    """Everything collected so far."""

    accounts: list[Account] = field(default_factory=list)
    regions: list[RegionFacts] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    regions_known: int = 0
    instances: int = 0

    def progress(self) -> Progress:
        """Return how far it is."""
        return Progress(len(self.accounts), self.regions_known, len(self.regions), self.instances)


def collect(
    access: Access,
    requests: Requests,
    wanted: Wanted,
    period: Optional[Period],
    tell: Optional[Tell] = None,
    *,
    workers: int = WORKERS,
) -> Snapshot:
    """Read what is wanted; ``period`` is what CloudWatch is asked for, None asks nothing.

    Raises AnalyzerError if the credentials cannot call anything. After an interruption no further
    request is sent.
    """
    taken_at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    own = own_account(access)
    found, failures = find_accounts(access, own, wanted)
    collected = _Collected(failures=list(failures))
    try:
        with Workers[Union[OpenAccount, RegionRead]](workers) as running:
            for account in found:
                running.add(partial(open_account, access, own, account, wanted))
            for result in running.results():
                _keep(result, collected)
                if isinstance(result, OpenAccount):
                    for region in result.regions:
                        running.add(
                            partial(read_region, result.access, result.account.id, region, period)
                        )
                if tell is not None:
                    tell(collected.progress())
    except BaseException:
        requests.stop()
        raise
    return Snapshot(
        taken_at=taken_at,
        version=__version__,
        metrics=period,
        accounts=tuple(sorted(collected.accounts, key=lambda account: account.id)),
        regions=tuple(sorted(collected.regions, key=lambda facts: (facts.account, facts.region))),
        failures=tuple(sorted(collected.failures, key=_by_place)),
    )


def _keep(result: Union[OpenAccount, RegionRead], collected: _Collected) -> None:
    collected.failures.extend(result.failures)
    if isinstance(result, OpenAccount):
        collected.accounts.append(result.account)
        collected.regions_known += len(result.regions)
    else:
        collected.regions.append(result.facts)
        collected.instances += len(result.facts.instances)


def _by_place(failure: Failure) -> tuple[str, str, str]:
    return failure.account or "", failure.region or "", failure.part.value
