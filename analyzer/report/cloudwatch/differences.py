"""Defines the comparison of AWS's counts with the recorded calls."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from analyzer.report.hosts import Span


@dataclass(frozen=True)
class Difference:
    """One period of CloudWatch's: what AWS counted, and what was recorded of it.

    ``recorded`` counts tokenless requests that succeeded (or were rejected, as ``metric`` says),
    ``unanswered`` those that AWS may have counted, too: no answer was seen, the answer was an
    error, or another cloud's probe was refused.
    """

    metric: str
    period: Span
    counted: int
    recorded: int
    unanswered: int
    is_covered: bool  # whether the analyzer was running all of the time
    host: Optional[str] = None  # key of the host whose figures these are; None: of all of them

    @property
    def missing(self) -> int:
        """The calls that AWS counted and the log cannot account for."""
        return max(0, self.counted - self.recorded - self.unanswered)


@dataclass(frozen=True)
class Account:
    """AWS's count for one host, by its own figures, and the recorded count.

    ``is_partial`` tells that some of its figures are missing.
    """

    counted: int
    recorded: int
    is_partial: bool


@dataclass(frozen=True)
class Comparison:
    """The comparison with CloudWatch. ``differences`` are the periods that do not agree."""

    periods: int
    counted: int
    recorded: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    # Of each host with figures of its own: when AWS counted, with no call without a token.
    silent: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    is_partial: bool = False  # figures are missing: NextToken, PartialData, days or instances
    # By key, the hosts with figures of their own. Others are compared only if figures name none.
    accounts: Mapping[str, Account] = field(default_factory=dict)

    def of_host(self, host: str) -> tuple[Difference, ...]:
        """Return the differences of a host, and those that may be of any, in their order."""
        of_any, own = self._by_host.get(None, ()), self._by_host.get(host, ())
        if not of_any or not own:
            return own or of_any
        return tuple(sorted((*of_any, *own), key=lambda each: each.period.start))

    @functools.cached_property
    def _by_host(self) -> Mapping[Optional[str], tuple[Difference, ...]]:
        """The differences by host: a fleet has too many to look through them for each host."""
        found: dict[Optional[str], list[Difference]] = {}
        for each in self.differences:
            found.setdefault(each.host, []).append(each)
        return {host: tuple(several) for host, several in found.items()}
