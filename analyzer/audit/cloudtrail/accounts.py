"""Chooses the instances to look up, and opens CloudTrail in their accounts and Regions."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from analyzer.account.model import InstanceFacts, Snapshot
from analyzer.audit.access import Access
from analyzer.audit.cloudtrail.lookup import Call, Target
from analyzer.audit.operations import LOOKUP_EVENTS, partition_of
from analyzer.errors import AnalyzerError


class Lookups:
    """Calls LookupEvents in each account: in one's own, and by a role in the others."""

    def __init__(self, access: Access, own: str, role: Optional[str]) -> None:
        self._own = own
        self._role = role
        self._access = {own: access}

    def call_of(self, target: Target) -> Call:
        """Return what looks up a target's events; raises AnalyzerError without a role for it."""
        return functools.partial(self._call, target)

    def _call(self, target: Target, **parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401
        access = self._access.get(target.account)
        if access is None:
            if self._role is None:
                raise AnalyzerError(
                    f"{target.instance} is in account {target.account}, and the credentials are of"
                    f" {self._own}. Name a role there with --organization-role."
                )
            arn = f"arn:{partition_of(target.region)}:iam::{target.account}:role/{self._role}"
            access = self._access[target.account] = self._access[self._own].assume(arn)
        return access.call(LOOKUP_EVENTS, target.region, **parameters)


def targets_of(
    snapshot: Snapshot, accounts: Sequence[str] = (), regions: Sequence[str] = ()
) -> tuple[Target, ...]:
    """Return the instances with tokenless calls, most calls first.

    Where CloudWatch was not asked or has no whole answer, they are those that may allow IMDSv1.
    """
    found = [
        (_calls(instance), Target(facts.account, facts.region, instance.id))
        for facts in snapshot.regions
        if (not accounts or facts.account in accounts) and (not regions or facts.region in regions)
        for instance in facts.instances
    ]
    wanted = [(calls, target) for calls, target in found if calls]
    return tuple(target for _, target in sorted(wanted, key=lambda each: (-each[0], each[1])))


def _calls(instance: InstanceFacts) -> int:
    """Return the tokenless calls; 1 stands for those that may be."""
    calls = instance.calls
    if calls is not None and (calls.no_token or (calls.hours_counted and not calls.is_partial)):
        return calls.no_token
    return 0 if instance.options.allows_v1 is False else 1
