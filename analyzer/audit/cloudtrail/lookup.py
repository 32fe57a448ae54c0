"""Looks up the events of a short list of instances by LookupEvents, two calls a second.

CloudTrail allows two calls a second in an account and Region, with 50 events each, and keeps
management events for 90 days. The session of an instance's role is named by the instance's id, so
that is the user name to look up. The newest events come first; what was read is saved, so that a
look-up that was stopped goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable, NamedTuple, Optional

from analyzer.account.credentials.file import Found, Progress
from analyzer.account.credentials.uses import Use, counted, maybe_use
from analyzer.audit.failures import Incomplete, text_of

# Events are kept for 90 days, and one look-up goes back as far.
DAYS_MAX = 90
INTERVAL_S = 0.5
PAGE = 50
# Pages between two times at which what was read is saved.
PAGES_A_SAVE = 20

Call = Callable[..., Mapping[str, Any]]
Save = Callable[[Found], None]


class Target(NamedTuple):
    """An instance to look up."""

    account: str
    region: str
    instance: str

    @property
    def key(self) -> str:
        """The lookup's name in the progress."""
        return "|".join(self)


@dataclass(frozen=True)
class Clock:
    """The time, and what waits; tests have others."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Pace:
    """Spaces the calls of each account and Region."""

    def __init__(self, clock: Clock, interval_s: float = INTERVAL_S) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._next: dict[tuple[str, str], float] = {}

    def wait(self, account: str, region: str) -> None:
        """Wait until a call may be made."""
        now = self._clock.now()
        at = self._next.get((account, region), now)
        if at > now:
            self._clock.sleep(at - now)
        self._next[account, region] = max(at, now) + self._interval_s


def look_up(
    targets: Sequence[Target],
    found: Found,
    call: Callable[[Target], Call],
    save: Save,
    clock: Optional[Clock] = None,
    is_foreseen: Callable[[Exception], bool] = lambda _error: False,
) -> Found:
    """Look up what is not done yet; return all. ``found`` is what is known already.

    ``call`` gives a target's ``lookup_events``. ``save`` is called every now and then, and at the
    end, also if this is interrupted. An error of AWS's that ``is_foreseen`` ends the look-up of
    its instance, whose progress says so; the others go on.
    """
    pace = Pace(clock or Clock())
    missing = {each.key: Progress() for each in targets if each.key not in found.progress}
    found = replace(found, progress={**found.progress, **missing})
    pages = 0
    try:
        for target in targets:
            if found.progress[target.key].is_done:
                continue
            try:
                for so_far in _instance(target, found, call(target), pace):
                    found = so_far
                    pages += 1
                    if pages % PAGES_A_SAVE == 0:
                        save(found)
            except Exception as error:
                if not is_foreseen(error):
                    raise
                found = _with(found, target, error=text_of(error))
    finally:
        save(found)
    return found


def _instance(target: Target, found: Found, call: Call, pace: Pace) -> Iterator[Found]:
    """Yield what is known after each page."""
    token: Optional[str] = None
    at = found.progress[target.key]
    tokens = set()
    end = at.oldest or found.end  # both are included in what CloudTrail returns
    while True:
        pace.wait(target.account, target.region)
        page = call(
            LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": target.instance}],
            StartTime=found.start,
            EndTime=end,
            MaxResults=PAGE,
            **({} if token is None else {"NextToken": token}),
        )
        found = _with_page(found, target, page.get("Events", ()))
        token = page.get("NextToken")
        if not token:
            yield _with(found, target, is_done=True, error=None)
            return
        yield found
        if token in tokens:
            raise Incomplete("PaginationError", "A token of a page came twice.")
        tokens.add(token)


def _with_page(found: Found, target: Target, events: Sequence[Mapping[str, Any]]) -> Found:
    at = found.progress[target.key]
    known = set(at.ids)
    new = [each for each in events if each.get("EventId") not in known]
    times = (at.oldest, *(each.get("EventTime") for each in new))
    oldest = min((seen for seen in times if seen is not None), default=None)
    ids = [str(each.get("EventId")) for each in new if each.get("EventTime") == oldest]
    if oldest == at.oldest:
        ids = [*at.ids, *ids]
    found = replace(found, uses=counted(_uses(new, target), found.uses))
    return _with(
        found, target, oldest=oldest, ids=tuple(ids), events=at.events + len(new), error=None
    )


def _uses(events: Sequence[Mapping[str, Any]], target: Target) -> Iterator[Use]:
    for event in events:
        try:
            record = json.loads(event.get("CloudTrailEvent") or "null")
        except ValueError:
            continue
        use = maybe_use(record)
        if use is not None and use.instance == target.instance:
            yield use


def _with(found: Found, target: Target, **changes: Any) -> Found:  # noqa: ANN401 (dataclass fields)
    progress = replace(found.progress[target.key], **changes)
    return replace(found, progress={**found.progress, target.key: progress})
