"""Opens AWS's APIs by boto3's own chain of credentials, and calls what operations.py lists.

A call of anything else is refused before it leaves the process. Credentials of an instance are
fetched by IMDSv2 alone: the audit is itself no caller of IMDSv1.
"""

from __future__ import annotations

import datetime
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Optional

from analyzer.audit.failures import UNEXPECTED, Incomplete
from analyzer.audit.operations import ALLOWED, ASSUME_ROLE, Operation
from analyzer.audit.sessions import boto3_module, client_config, open_session
from analyzer.errors import AnalyzerError
from analyzer.text import visible

SESSION_NAME = "imds-analyzer-audit"
# For regions whose name is not given: any enabled one can list the others.
HOME_REGION = "us-east-1"

Answer = dict[str, Any]


class Stopped(Exception):
    """The audit was interrupted: no further request is sent."""


class Requests:
    """Counts the requests of all accounts, refuses those that are not listed, and stops them."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self._is_stopped = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Refuse every further request, also repeated ones."""
        self._is_stopped.set()

    def check(self, model: Any, **_others: object) -> None:  # noqa: ANN401 (botocore's)
        """Refuse what is not listed; botocore calls it before each operation."""
        _refuse_unlisted(model.service_model.service_name, model.name)
        self.refuse_if_stopped()

    def count(self, event_name: str, **_others: object) -> None:
        """Count a request; botocore calls it before each one, repeated ones included."""
        self.refuse_if_stopped()
        with self._lock:
            self.sent[event_name.rpartition(".")[2]] += 1

    def refuse_if_stopped(self) -> None:
        """Raise Stopped after stop()."""
        if self._is_stopped.is_set():
            raise Stopped


class Access:
    """The APIs of one account. Its methods may be called from several threads."""

    def __init__(self, session: Any, requests: Requests) -> None:  # noqa: ANN401 (boto3's)
        self._session = session
        self._requests = requests
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        session.events.register("before-send.*.*", requests.count)

    @property
    def home(self) -> str:
        """The Region that the user's configuration names, or one that can list the others."""
        return self._session.region_name or HOME_REGION

    def call(self, operation: Operation, region: str, **parameters: object) -> Answer:
        """Call an operation once; raises botocore's errors."""
        method = getattr(self._client_for(operation, region), _snake(operation.name))
        return _of_aws(method(**parameters))

    def pages(self, operation: Operation, region: str, **parameters: object) -> Iterator[Answer]:
        """Yield the pages of an operation; raises botocore's errors.

        ``PageSize`` is the number of items on a page.
        """
        size = parameters.pop("PageSize", None)
        paginator = self._client_for(operation, region).get_paginator(_snake(operation.name))
        tokens = set()
        for page in paginator.paginate(**parameters, PaginationConfig={"PageSize": size}):
            yield _of_aws(page)
            token = page.get("NextToken") or page.get("Marker")
            if token in tokens:  # botocore notices the last one alone
                raise Incomplete("PaginationError", "A token of a page came twice.")
            if token:
                tokens.add(token)

    def forget(self, region: str) -> None:
        """Drop the clients of a Region, which have some MB each."""
        with self._lock:
            for key in [key for key in self._clients if key[1] == region]:
                del self._clients[key]

    def assume(self, arn: str) -> Access:
        """Return the access of another account by a role there; raises botocore's errors.

        The role is taken at once. Its credentials last an hour, and are renewed before that by
        those of this account.
        """
        from botocore.credentials import RefreshableCredentials  # noqa: PLC0415 (comes with boto3)

        def take() -> dict[str, str]:
            answer = self.call(ASSUME_ROLE, self.home, RoleArn=arn, RoleSessionName=SESSION_NAME)
            return _as_metadata(answer["Credentials"])

        role = RefreshableCredentials.create_from_metadata(take(), take, method="assume-role")
        return Access(open_session(self._session.profile_name, self.home, role), self._requests)

    def _client_for(self, operation: Operation, region: str) -> Any:  # noqa: ANN401 (botocore's)
        """Return the client of an operation's service; that of EC2 has the listed ones alone."""
        _refuse_unlisted(operation.service, operation.name)
        return self._client(operation.service, region)

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 (botocore's)
        with self._lock:  # a session is for one thread at a time, its clients are for all
            client = self._clients.get((service, region))
            if client is None:
                client = self._session.client(service, region_name=region, config=client_config())
                # Not for the session: botocore makes clients of its own there, which get the user's
                # credentials from IAM Identity Center, with a web identity, or by a profile's role.
                client.meta.events.register("before-call.*.*", self._requests.check)
                self._clients[service, region] = client
            return client


def open_access(profile: Optional[str], requests: Requests) -> Access:
    """Return the access of the account whose credentials boto3 finds.

    Raises AnalyzerError if boto3 is missing or the profile does not exist.
    """
    boto3 = boto3_module()
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 (comes with boto3)

    try:
        session = open_session(profile, None)
    except BotoCoreError as error:
        raise AnalyzerError(
            f"{visible(str(error))}. `aws configure list-profiles` lists the profiles; boto3"
            f" {boto3.__version__} reads ~/.aws/config and ~/.aws/credentials."
        ) from None
    return Access(session, requests)


def _refuse_unlisted(service: str, name: str) -> None:
    if (service, name) not in ALLOWED:
        raise AssertionError(f"{service}:{name} is not in the audit's list")


def _of_aws(answer: Answer) -> Answer:
    """Return an answer; raises Incomplete for one without the id that AWS gives to each request.

    A proxy's page in XML would else be an answer in which there is nothing.
    """
    if not answer.get("ResponseMetadata", {}).get("RequestId"):
        raise Incomplete(UNEXPECTED, "The answer has no id of a request: it is not of AWS.")
    return answer


def _as_metadata(found: Answer) -> dict[str, str]:
    """Return credentials of STS in botocore's words; raises Incomplete if they are over."""
    until = found["Expiration"]
    if until <= datetime.datetime.now(datetime.timezone.utc):
        raise Incomplete("ExpiredToken", f"STS gave credentials until {until}. Check the clock.")
    return {
        "access_key": found["AccessKeyId"],
        "secret_key": found["SecretAccessKey"],
        "token": found["SessionToken"],
        "expiry_time": until.isoformat(),
    }


def _snake(name: str) -> str:
    from botocore import xform_name  # noqa: PLC0415 (comes with boto3)

    method: str = xform_name(name)
    return method
