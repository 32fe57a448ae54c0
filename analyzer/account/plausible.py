"""Tells what in a snapshot cannot be: times without a zone, and figures that contradict each other.

A snapshot may have been edited by hand, or made by another program. What contradicts itself would
make a verdict better: figures that count calls in no hour look like none.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Optional

from analyzer.account.model import Calls, InstanceFacts, Period, Snapshot

HOUR = datetime.timedelta(hours=1)
# These say what a part of an ARN, a command or an exception may be.
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
# EC2 was not there before; no clock is that far ahead.
_YEARS = range(2006, 2200)


def faults(snapshot: Snapshot) -> Iterator[str]:
    """Yield what cannot be, each as the end of a sentence that begins with the file's name."""
    if not _is_time(snapshot.taken_at):
        yield f"taken_at is {_shown(snapshot.taken_at)}"
    yield from _of_period("metrics", snapshot.metrics)
    yield from _of_asked(snapshot)
    # Each account has Regions, or its failure is there.
    known = {each.account for each in snapshot.regions}
    known |= {each.account for each in snapshot.failures if each.account is not None}
    for account in snapshot.accounts:
        if account.id not in known:
            yield f"account {account.id} has no Region"
    places = set()
    for region in snapshot.regions:
        place = (region.account, region.region)
        if place in places:
            yield f"account {region.account} in {region.region} is there twice"
        places.add(place)
        # Commands name both: without a Region they would be run in another one.
        if not ACCOUNT.fullmatch(region.account):
            yield f"{region.account!r} is no account"
        if not REGION.fullmatch(region.region):
            yield f"{region.region!r} is no Region"
        for instance in region.instances:
            for fault in _of_instance(instance, snapshot.metrics):
                yield f"instance {instance.id}: {fault}"


def _of_instance(instance: InstanceFacts, metrics: Optional[Period]) -> Iterator[str]:
    if instance.launched_at is not None and not _is_time(instance.launched_at):
        yield f"launched_at is {_shown(instance.launched_at)}"
    if instance.calls is not None:
        yield from _of_calls("calls", instance.calls, metrics)
    baseline = instance.baseline
    if baseline is not None:
        if not _is_time(baseline.taken_at):
            yield f"baseline.taken_at is {_shown(baseline.taken_at)}"
        yield from _of_period("baseline.metrics", baseline.metrics)
        yield from _of_calls("baseline.calls", baseline.calls, baseline.metrics)


def _of_asked(snapshot: Snapshot) -> Iterator[str]:
    asked = _known(snapshot.metrics)
    if asked is not None and _is_time(snapshot.taken_at) and asked.end > snapshot.taken_at + HOUR:
        yield f"metrics goes on to {asked.end.isoformat()}, after it was taken"


def _of_period(name: str, period: Optional[Period]) -> Iterator[str]:
    if period is None:
        return
    if not (_is_time(period.start) and _is_time(period.end)):
        yield f"{name} is {_shown(period.start)} to {_shown(period.end)}"
    elif period.start >= period.end:
        yield f"{name} ends before it begins"


def _of_calls(name: str, calls: Calls, period: Optional[Period]) -> Iterator[str]:
    times = (calls.last_no_token_at, calls.last_rejected_at, *(each.at for each in calls.hours))
    wrong = next((each for each in times if each is not None and not _is_time(each)), None)
    if wrong is not None:
        yield f"a time of {name} is {_shown(wrong)}"
        return
    counts = (calls.no_token, calls.no_token_rejected, calls.hours_counted)
    if min(*counts, *(each.calls for each in calls.hours), 0) < 0:
        yield f"{name} has a figure below 0"
    elif calls.no_token != sum(each.calls for each in calls.hours):
        yield f"{name} counts {calls.no_token} calls, and others by the hour"
    elif calls.last_no_token_at != max((each.at for each in calls.hours), default=None):
        yield f"last_no_token_at of {name} is not the last of its hours"
    elif period is None:
        yield f"{name} is there, and no time of metrics"
    elif _known(period) is not None:
        outside = [at for at in times if at is not None and not period.start <= at < period.end]
        if outside:
            yield f"{name} has {outside[0].isoformat()}, which is not in the metrics' time"
        elif calls.hours_counted > -(-(period.end - period.start) // HOUR):
            yield f"{name} counts {calls.hours_counted} hours, more than the metrics' time has"


def _known(period: Optional[Period]) -> Optional[Period]:
    is_known = period is not None and _is_time(period.start) and _is_time(period.end)
    return period if is_known else None


def _is_time(at: datetime.datetime) -> bool:
    return at.tzinfo is not None and at.year in _YEARS


def _shown(at: datetime.datetime) -> str:
    return f"{at.isoformat()}, which is not a time with a zone from {_YEARS.start} on"
