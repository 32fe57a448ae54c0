"""Opens AWS's APIs by boto3's own chain of credentials, and calls what operations.py lists.

A call of anything else is refused before it leaves the process. Credentials of an instance are
fetched by IMDSv2 alone: the audit is itself no caller of IMDSv1.
"""

from __future__ import annotations

import datetime
import functools
import threading
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Optional, Union

from analyzer import __version__
from analyzer.audit.failures import UNEXPECTED, Incomplete
from analyzer.audit.operations import ALLOWED, ASSUME_ROLE, Operation
from analyzer.errors import AnalyzerError
from analyzer.text import visible

SESSION_NAME = "imds-analyzer-audit"
# For regions whose name is not given: any enabled one can list the others.
HOME_REGION = "us-east-1"
_CONNECT_S, _READ_S, _ATTEMPTS = 10, 60, 8
_EXTRA = (
    "an audit needs the package boto3, which is not installed. Install it with"
    " pip install 'imds-analyzer[aws]'"
)

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
        service = model.service_model.service_name
        if (service, model.name) not in ALLOWED:
            raise AssertionError(f"{service}:{model.name} is not in the audit's list")
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
        session.events.register("before-call.*.*", requests.check)
        session.events.register("before-send.*.*", requests.count)

    @property
    def home(self) -> str:
        """The Region that the user's configuration names, or one that can list the others."""
        return self._session.region_name or HOME_REGION

    def call(self, operation: Operation, region: str, **parameters: object) -> Answer:
        """Call an operation once; raises botocore's errors."""
        method = getattr(self._client(operation.service, region), _snake(operation.name))
        return _of_aws(method(**parameters))

    def pages(self, operation: Operation, region: str, **parameters: object) -> Iterator[Answer]:
        """Yield the pages of an operation; raises botocore's errors.

        ``PageSize`` is the number of items on a page.
        """
        size = parameters.pop("PageSize", None)
        paginator = self._client(operation.service, region).get_paginator(_snake(operation.name))
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
        return Access(_session(self._session.profile_name, self.home, role), self._requests)

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 (botocore's)
        with self._lock:  # a session is for one thread at a time, its clients are for all
            client = self._clients.get((service, region))
            if client is None:
                client = self._session.client(service, region_name=region, config=_config())
                self._clients[service, region] = client
            return client


def open_access(profile: Optional[str], requests: Requests) -> Access:
    """Return the access of the account whose credentials boto3 finds.

    Raises AnalyzerError if boto3 is missing or the profile does not exist.
    """
    boto3 = _boto3()
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 (comes with boto3)

    try:
        session = _session(profile, None)
    except BotoCoreError as error:
        raise AnalyzerError(
            f"{visible(str(error))}. `aws configure list-profiles` lists the profiles; boto3"
            f" {boto3.__version__} reads ~/.aws/config and ~/.aws/credentials."
        ) from None
    return Access(session, requests)


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


def _session(
    profile: Optional[str],
    region: Optional[str],
    credentials: Any = None,  # noqa: ANN401 (botocore's)
) -> Any:  # noqa: ANN401 (boto3's)
    """Return boto3's session; its credentials are those of the user unless others are given."""
    boto3 = _boto3()
    from botocore.session import Session  # noqa: PLC0415 (comes with boto3)

    # ``default`` may be named by nothing but boto3 itself, and need not exist.
    core = Session(profile=None if profile == "default" else profile)
    core.set_config_variable("ec2_metadata_v1_disabled", True)
    core.get_scoped_config()  # raises if there is no such profile
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    if credentials is not None:
        core.register_component("credential_provider", _Given(credentials))
    return boto3.session.Session(botocore_session=core, region_name=region)


class _Given:
    """Stands for botocore's search for credentials where they are there already."""

    def __init__(self, credentials: Any) -> None:  # noqa: ANN401 (botocore's)
        self._credentials = credentials

    def load_credentials(self) -> Any:  # noqa: ANN401 (botocore's)
        """Return them; botocore asks once."""
        return self._credentials


@functools.lru_cache(maxsize=1)
def _loader(data_path: Optional[str]) -> Any:  # noqa: ANN401 (botocore's)
    """Return what loads the APIs' descriptions; EC2's has 10 MB, once for all accounts."""
    from botocore.loaders import create_loader  # noqa: PLC0415 (comes with boto3)

    return create_loader(data_path)


def _time(value: Union[str, float]) -> datetime.datetime:
    """Return a time in UTC. botocore's own way by the host's time zone takes 20 times as long."""
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    from botocore.utils import parse_timestamp  # noqa: PLC0415 (comes with boto3)

    found: datetime.datetime = parse_timestamp(value)
    return found.astimezone(datetime.timezone.utc)


def _boto3() -> ModuleType:
    try:
        import boto3  # noqa: PLC0415 (an extra)
    except ImportError:
        raise AnalyzerError(_EXTRA) from None
    module: ModuleType = boto3
    return module


def _config() -> Any:  # noqa: ANN401 (botocore's)
    from botocore.config import Config  # noqa: PLC0415 (comes with boto3)

    return Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
        user_agent_extra=f"imds-analyzer/{__version__}",
    )


def _snake(name: str) -> str:
    from botocore import xform_name  # noqa: PLC0415 (comes with boto3)

    method: str = xform_name(name)
    return method
