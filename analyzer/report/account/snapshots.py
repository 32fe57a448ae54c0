"""Reads ``--account FILE``, one or several, as one: each account and Region is in one of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from analyzer.account import file
from analyzer.account.model import Failure, InstanceFacts, Part, RegionFacts, Snapshot
from analyzer.errors import AnalyzerError
from analyzer.imds import INSTANCE_ID
from analyzer.text import visible

# Without one of these parts, instances are missing that nobody can name.
OF_INSTANCES = frozenset({Part.REGIONS, Part.INSTANCES, Part.ACCOUNTS, Part.ROLE})
# A snapshot is made on another host, whose clock may be a little ahead.
CLOCKS_DIFFER = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Snapshots:
    """Snapshots, and the names of their files. No account and Region is in two of them."""

    sources: tuple[str, ...]
    snapshots: tuple[Snapshot, ...]

    @property
    def taken_at(self) -> datetime.datetime:
        """The time of the oldest snapshot."""
        return min(each.taken_at for each in self.snapshots)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures to read, of all snapshots."""
        return tuple(failure for each in self.snapshots for failure in each.failures)

    @property
    def names(self) -> Mapping[str, str]:
        """The names of accounts, by their ids, where an organization says them."""
        return {
            account.id: account.name
            for each in self.snapshots
            for account in each.accounts
            if account.name
        }

    def regions(self) -> Iterator[tuple[Snapshot, RegionFacts]]:
        """Yield what each account has in each Region, with the snapshot that says it."""
        for each in self.snapshots:
            for region in each.regions:
                yield each, region

    def instances(self) -> Iterator[tuple[Snapshot, RegionFacts, InstanceFacts]]:
        """Yield each instance once, with its Region and the snapshot that says it.

        Of one that is there several times, as pages of answers may have it, the worst counts.
        """
        found: dict[str, tuple[Snapshot, RegionFacts, InstanceFacts]] = {}
        for snapshot, region in self.regions():
            for instance in region.instances:
                known = found.get(instance.id)
                if known is None or _badness(instance) > _badness(known[2]):
                    found[instance.id] = (snapshot, region, instance)
        yield from found.values()

    def taken_at_by_place(self) -> Mapping[tuple[Optional[str], Optional[str]], datetime.datetime]:
        """Return when each account and Region was read."""
        return {(of.account, of.region): snapshot.taken_at for snapshot, of in self.regions()}


def read(paths: Sequence[Path], now: datetime.datetime) -> Snapshots:
    """Read the files; ``now`` is the present.

    Raises AnalyzerError, also where two have the same account and Region, or for one of the future.
    """
    made = Snapshots(tuple(map(str, paths)), tuple(map(file.read, paths)))
    first: dict[tuple[str, str], str] = {}
    for name, snapshot in zip(made.sources, made.snapshots):
        if snapshot.taken_at > now + CLOCKS_DIFFER:
            taken = snapshot.taken_at.astimezone(datetime.timezone.utc)
            raise AnalyzerError(
                f"{visible(name)}: was taken in the future, on {taken:%Y-%m-%d %H:%M} UTC: set the"
                " clock, here or where it was made, and make it anew with `imds-analyzer audit"
                " --output FILE`."
            )
        for region in snapshot.regions:
            place = (region.account, region.region)
            if place in first:
                raise AnalyzerError(
                    f"{visible(first[place])} and {visible(name)} both have account"
                    f" {visible(region.account)} in {visible(region.region)}. Give the newer one"
                    " alone: `imds-analyzer audit --previous FILE` compares the two."
                )
            first[place] = name
            _check_ids(region, name)
    if not first and not made.failures:
        raise AnalyzerError(
            f"{visible(made.sources[0])}: has no account and no Region."
            " Make it with `imds-analyzer audit --output FILE`."
        )
    return made


def _badness(instance: InstanceFacts) -> tuple[bool, bool, int]:
    calls = instance.calls
    return (
        instance.state not in ("stopping", "stopped", "shutting-down", "terminated"),
        instance.allows_v1 is not False,
        0 if calls is None else calls.no_token + calls.no_token_rejected,
    )


def _check_ids(region: RegionFacts, name: str) -> None:
    """Raise AnalyzerError for what is no instance id: commands for a shell have it as it is."""
    for instance in region.instances:
        if not INSTANCE_ID.fullmatch(instance.id):
            raise AnalyzerError(
                f"{visible(name)}: {visible(instance.id)!r} is no instance id. Make the snapshot"
                " anew with `imds-analyzer audit --output FILE`."
            )
