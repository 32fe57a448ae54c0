"""Joins uses of credentials from IMDSv1 with the callers that fetched them at that time.

Credentials that were made at a time are fetched after it, and used after that. So a caller counts
if it fetched the role's credentials by IMDSv1 on the instance between the making and the last use.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.account.credentials.uses import Uses

# Credentials of an instance are good for some six hours; where CloudTrail does not say when they
# were made, they were fetched within that time.
LIFETIME = datetime.timedelta(hours=6, minutes=30)
# Clocks differ, and IMDS makes new credentials before it hands them out.
SLACK = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Fetch:
    """A caller's successful fetches by IMDSv1, from ``first_at`` to ``last_at``.

    ``role`` is None where a folded line does not say it.
    """

    instance: str
    caller: str
    first_at: datetime.datetime
    last_at: datetime.datetime
    calls: int = 1
    role: Optional[str] = None
    key: Optional[str] = None


class Known(enum.Enum):
    """Knowledge from the logs of who fetched the credentials of a use."""

    CALLERS = "callers"
    NOBODY = "watched, and nobody fetched them"
    NOT_WATCHED = "not watched"


@dataclass(frozen=True)
class Joined:
    """Rows of one role, instance and user agent, with the callers that fetched the credentials.

    ``callers`` are those with the most fetches first.
    """

    account: str
    role: str
    instance: str
    user_agent: Optional[str]
    rows: tuple[Uses, ...]
    known: Known
    callers: tuple[str, ...] = ()

    @property
    def calls(self) -> int:
        """The number of API calls."""
        return sum(row.calls for row in self.rows)

    @property
    def first_at(self) -> datetime.datetime:
        """The first of them."""
        return min(row.first_at for row in self.rows)

    @property
    def last_at(self) -> datetime.datetime:
        """The last of them."""
        return max(row.last_at for row in self.rows)

    @property
    def sources(self) -> tuple[str, ...]:
        """The addresses that they came from, as CloudTrail saw them."""
        return tuple(sorted({source for row in self.rows for source in row.sources}))

    @property
    def actions(self) -> tuple[tuple[str, int], ...]:
        """The actions as ``service:action``, most calls first."""
        found: dict[str, int] = {}
        for row in self.rows:
            name = f"{row.service.partition('.')[0]}:{row.action}"
            found[name] = found.get(name, 0) + row.calls
        return tuple(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def join(
    uses: Iterable[Uses], fetches: Iterable[Fetch], watched: Collection[str]
) -> tuple[Joined, ...]:
    """Return the uses by role, instance and user agent, most calls first.

    ``watched`` are the instances that have a log: of the others nobody knows who fetched.
    """
    by_instance: dict[str, list[Fetch]] = {}
    for fetch in fetches:
        by_instance.setdefault(fetch.instance, []).append(fetch)
    groups: dict[tuple[str, str, str, Optional[str]], list[Uses]] = {}
    for row in uses:
        key = (row.account, row.role, row.instance, row.user_agent)
        groups.setdefault(key, []).append(row)
    joined = [
        _joined(key, rows, by_instance.get(key[2], []), is_watched=key[2] in watched)
        for key, rows in groups.items()
    ]
    return tuple(
        sorted(
            joined,
            key=lambda each: (
                -each.calls,
                each.account,
                each.role,
                each.instance,
                each.user_agent or "",
            ),
        )
    )


def _joined(
    key: tuple[str, str, str, Optional[str]],
    rows: Sequence[Uses],
    fetches: Sequence[Fetch],
    *,
    is_watched: bool,
) -> Joined:
    counts: dict[str, int] = {}
    for fetch in fetches:
        if any(_fits(fetch, row) for row in rows):
            counts[fetch.caller] = counts.get(fetch.caller, 0) + fetch.calls
    callers = tuple(sorted(counts, key=lambda each: (-counts[each], each)))
    unknown = Known.NOBODY if is_watched else Known.NOT_WATCHED
    known = Known.CALLERS if callers else unknown
    return Joined(*key, rows=tuple(rows), known=known, callers=callers)


def _fits(fetch: Fetch, row: Uses) -> bool:
    if fetch.role is not None and row.role and fetch.role != row.role:
        return False
    made = row.issued_at if row.issued_at is not None else row.first_at - LIFETIME
    return made - SLACK <= fetch.last_at and fetch.first_at <= row.last_at + SLACK
