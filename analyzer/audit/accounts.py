"""Finds the accounts to read, opens each of them, and lists its Regions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple, Optional

from analyzer.account.model import Account, Failure, Part
from analyzer.audit.access import Access
from analyzer.audit.failures import (
    UNEXPECTED,
    Incomplete,
    Place,
    failure,
    is_foreseen,
    unexpected,
)
from analyzer.audit.instances import read_profiles
from analyzer.audit.operations import (
    DESCRIBE_REGIONS,
    GET_CALLER_IDENTITY,
    LIST_ACCOUNTS,
    partition_of,
)
from analyzer.audit.region import Attempts
from analyzer.errors import AnalyzerError

_ACTIVE = "ACTIVE"


class Wanted(NamedTuple):
    """Accounts and Regions that the user asked for. Empty means all.

    ``role`` is a role's name in every other account; None reads the caller's account alone.
    """

    role: Optional[str] = None
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenAccount:
    """An account that can be read, and its Regions."""

    account: Account
    access: Access
    regions: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = field(default=())


def own_account(access: Access) -> str:
    """Return the id of the caller's account; raises AnalyzerError if nothing can be called."""
    try:
        account: str = access.call(GET_CALLER_IDENTITY, access.home)["Account"]
    except Exception as error:
        known = error if is_foreseen(error) else unexpected(error)
        if known is None:
            raise
        raise AnalyzerError(failure(Part.ACCOUNTS, known, Place()).text) from None
    return account


def find_accounts(
    access: Access, own: str, wanted: Wanted
) -> tuple[tuple[Account, ...], tuple[Failure, ...]]:
    """Return the accounts to read, by id, and what failed."""
    if wanted.role is None:
        strangers = [id_ for id_ in wanted.accounts if id_ != own]
        text = "can be read with --organization-role alone: the credentials are of another account"
        failures = tuple(_unknown(id_, text) for id_ in strangers)
        is_own = not wanted.accounts or own in wanted.accounts
        return ((Account(own),) if is_own else (), failures)
    attempts = Attempts(Place())
    found = {
        listed["Id"]: Account(
            # ``Status`` is what AWS called the state until 2026.
            listed["Id"],
            listed.get("Name"),
            listed.get("State") or listed.get("Status"),
        )
        for page in attempts.all_of(Part.ACCOUNTS, lambda: access.pages(LIST_ACCOUNTS, access.home))
        for listed in page.get("Accounts", ())
    }
    if attempts.failures:  # what can be reached is still read
        for id_ in wanted.accounts or (own,):
            found.setdefault(id_, Account(id_, status=_ACTIVE))
    failures = tuple(
        _unknown(id_, "is no active account of the organization")
        for id_ in wanted.accounts
        if id_ not in found or found[id_].status != _ACTIVE
    )
    active = [
        account
        for _, account in sorted(found.items())
        if account.status == _ACTIVE and account.id in (wanted.accounts or found)
    ]
    return tuple(active), (*attempts.failures, *failures)


def open_account(access: Access, own: str, account: Account, wanted: Wanted) -> OpenAccount:
    """Take the role in an account, unless it is the caller's own, and list its Regions."""
    attempts = Attempts(Place(account.id))
    opened = access
    if account.id != own:
        arn = f"arn:{partition_of(access.home)}:iam::{account.id}:role/{wanted.role}"
        taken = attempts.all_of(Part.ROLE, lambda: (access.assume(arn),))
        if not taken:
            return OpenAccount(account, access, failures=tuple(attempts.failures))
        opened = taken[0]
    profiles = attempts.all_of(Part.PROFILES, lambda: read_profiles(opened))
    regions, failures = _regions(opened, account.id, wanted.regions)
    return OpenAccount(
        replace(account, profiles=profiles),
        opened,
        regions,
        (*attempts.failures, *failures),
    )


def _regions(
    access: Access, account: str, wanted: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[Failure, ...]]:
    attempts = Attempts(Place(account))
    answers = attempts.all_of(Part.REGIONS, lambda: (access.call(DESCRIBE_REGIONS, access.home),))
    if not answers:
        # Named Regions need no list; the list would only have told which name is none.
        return wanted, () if wanted else tuple(attempts.failures)
    enabled = sorted(found["RegionName"] for found in answers[0].get("Regions", ()))
    if not enabled:  # else the account would be one that has nothing
        none = Incomplete(UNEXPECTED, "The list of enabled Regions is empty.")
        return (), (failure(Part.REGIONS, none, Place(account)),)
    if not wanted:
        return tuple(enabled), ()
    failures = tuple(
        failure(
            Part.REGIONS,
            Incomplete("UnknownRegion", f"{region} is no Region that this account has enabled."),
            Place(account, region),
        )
        for region in wanted
        if region not in enabled
    )
    return tuple(region for region in wanted if region in enabled), failures


def _unknown(account: str, text: str) -> Failure:
    error = Incomplete("UnknownAccount", f"{account} {text}.")
    return failure(Part.ACCOUNTS, error, Place(account))
