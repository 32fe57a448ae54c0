"""Opens boto3's sessions: where credentials come from, how times are read, how clients wait.

Credentials of an instance are fetched by IMDSv2 alone.
"""

from __future__ import annotations

import datetime
import functools
from types import ModuleType
from typing import Any, Optional, Union

from analyzer import __version__
from analyzer.account.descriptions import quick
from analyzer.audit.operations import ALLOWED
from analyzer.errors import AnalyzerError

_CONNECT_S, _READ_S, _ATTEMPTS = 10, 60, 8
# The service with some 800 operations.
_LARGE = "ec2"
_EXTRA = (
    "an audit needs the package boto3, which is not installed. Install it with"
    " pip install 'imds-analyzer[aws]'"
)


def open_session(
    profile: Optional[str],
    region: Optional[str],
    credentials: Any = None,  # noqa: ANN401 (botocore's)
) -> Any:  # noqa: ANN401 (boto3's)
    """Return boto3's session; its credentials are those of the user unless others are given."""
    boto3 = boto3_module()
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
    """Return what loads the APIs' descriptions; EC2's has 4 MB, once for all accounts.

    Of its operations, the listed ones alone: botocore makes a method of every operation for each
    client, and a client is for one account and Region.
    """
    from botocore.loaders import create_loader  # noqa: PLC0415 (comes with boto3)

    loader = quick(create_loader(data_path))
    load = loader.load_service_model

    @functools.cache  # of a few services
    def load_service_model(
        service_name: str, type_name: str, api_version: Optional[str] = None
    ) -> Any:  # noqa: ANN401 (botocore's)
        found = load(service_name, type_name, api_version)
        if (service_name, type_name) != (_LARGE, "service-2"):
            return found
        listed = {
            name: operation
            for name, operation in found["operations"].items()
            if (service_name, name) in ALLOWED
        }
        return {**found, "operations": listed}

    loader.load_service_model = load_service_model
    return loader


def _time(value: Union[str, float]) -> datetime.datetime:
    """Return a time in UTC. botocore's own way by the host's time zone takes 20 times as long."""
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    from botocore.utils import parse_timestamp  # noqa: PLC0415 (comes with boto3)

    found: datetime.datetime = parse_timestamp(value)
    return found.astimezone(datetime.timezone.utc)


def boto3_module() -> ModuleType:
    """Return boto3; raises AnalyzerError where it is not installed."""
    try:
        import boto3  # noqa: PLC0415 (an extra)
    except ImportError:
        raise AnalyzerError(_EXTRA) from None
    module: ModuleType = boto3
    return module


def client_config() -> Any:  # noqa: ANN401 (botocore's)
    """Return how clients wait, and repeat what is throttled."""
    from botocore.config import Config  # noqa: PLC0415 (comes with boto3)

    return Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
        user_agent_extra=f"imds-analyzer/{__version__}",
    )
