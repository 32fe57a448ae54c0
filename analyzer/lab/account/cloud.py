"""Runs moto's server on loopback: AWS accounts that cost nothing and are gone at the end.

moto lacks the defaults of metadata options, AMIs' ImdsSupport, the times of launches, and the
instances that Systems Manager reaches. :class:`Cloud` adds these to its own process.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, Optional

from analyzer.errors import LabError

OWN_ACCOUNT = "123456789012"  # moto's, for keys that it did not make
ROLE = "imds-analyzer-audit"
_EXTRA = (
    "`lab --account` needs the packages moto and boto3, which are not installed. Install them with"
    " pip install 'imds-analyzer[lab-account]', on Python 3.10 or later"
)
_KEYS = ("AKIALABLABLABLABLAB1", "not-a-real-secret")
_SEED = 14
# Neither keys nor files of the user. moto opens sessions of its own, already when it is imported.
_NOBODYS = {
    "AWS_ACCESS_KEY_ID": _KEYS[0],
    "AWS_SECRET_ACCESS_KEY": _KEYS[1],
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# moto makes some thousand AMIs for each account and Region, which takes half a second each.
_MOTO_SETTINGS = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}

Place = tuple[str, str]  # account and Region


class _Modules(NamedTuple):
    """What is imported of the extra's packages."""

    backends: Any
    ec2: Any
    ssm: Any
    result: Any
    random: Any
    failures: tuple[type[Exception], ...]
    application: Any
    serving: ModuleType
    session: ModuleType


class Cloud:
    """A running server, as a context manager. Raises LabError where moto is not installed."""

    def __init__(self) -> None:
        """Prepare only; entering the context starts the server."""
        self.defaults: dict[Place, dict[str, str]] = {}
        self.managed: dict[Place, list[str]] = {}
        self._users: dict[str, str] = {}
        self._replaced: list[tuple[Any, str, Any]] = []
        self._server: Any = None
        self._thread: Optional[threading.Thread] = None

    def __enter__(self) -> Cloud:
        """Start it on a free port of loopback."""
        self._users = _put_aside_the_users_settings()
        try:
            self._start()
        except BaseException:
            self._take_back()
            raise
        return self

    def _start(self) -> None:
        self._modules = _modules()
        self._session = self._modules.session.Session()
        self._modules.random.seed(_SEED)  # ids are the same in each run
        self._add_what_moto_lacks()
        self._server = self._modules.serving.make_server(
            "127.0.0.1", 0, self._modules.application, threaded=True, request_handler=self._silent()
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __exit__(self, *_raised: object) -> None:
        """Stop it, and leave moto as it was."""
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
        self._server.server_close()
        self._take_back()

    def _take_back(self) -> None:
        for owner, name, before in self._replaced:
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        for name in (*_NOBODYS, *_MOTO_SETTINGS):
            os.environ.pop(name, None)
        os.environ.update(self._users)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.port}"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Raise LabError for what the server refuses, such as one that is older than the extra."""
        try:
            yield
        except self._modules.failures as error:
            first = str(error).partition("\n")[0]
            raise LabError(
                f"moto's server did not do what AWS does: {first}. Bring it up to date with"
                " pip install --upgrade 'imds-analyzer[lab-account]', on Python 3.10 or later"
            ) from error

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that is to call this server alone.

        It has no setting and no key of a real account, and never asks this host's own IMDS: this
        process has none meanwhile.
        """
        return {**os.environ, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str, region: str, account: str = OWN_ACCOUNT) -> Any:  # noqa: ANN401
        """Return botocore's client of a service; another account's by a role in it."""
        keys: tuple[str, str, Optional[str]] = (*_KEYS, None)
        if account != OWN_ACCOUNT:
            arn = f"arn:aws:iam::{account}:role/{ROLE}"
            found = self.client("sts", region).assume_role(RoleArn=arn, RoleSessionName="story")
            given: Mapping[str, str] = found["Credentials"]
            keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
        )

    def backend(self, service: str, place: Place) -> Any:  # noqa: ANN401 (moto's)
        """Return moto's own state, for what its API cannot set."""
        account, region = place
        return self._modules.backends(service)[account][region]

    def _add_what_moto_lacks(self) -> None:
        result, cloud = self._modules.result, self

        def defaults(self: Any) -> Any:  # noqa: ANN401 (moto's)
            found = cloud.defaults.get((self.current_account, self.region), {})
            return result({"AccountLevel": {"ManagedBy": "account", **found}})

        def managed(self: Any) -> Any:  # noqa: ANN401 (moto's)
            found = cloud.managed.get((self.current_account, self.region), ())
            listed = [{"InstanceId": id_, "PingStatus": "Online"} for id_ in found]
            return result({"InstanceInformationList": listed})

        for owner, name, function in (
            (self._modules.ec2, "get_instance_metadata_defaults", defaults),
            (self._modules.ssm, "describe_instance_information", managed),
        ):
            self._replaced.append((owner, name, owner.__dict__.get(name)))
            setattr(owner, name, function)

    def _silent(self) -> Any:  # noqa: ANN401 (werkzeug's)
        handler: Any = self._modules.serving.WSGIRequestHandler

        def log(_handler: object, *_what: object) -> None:
            """Write no line for a request: standard error is the user's."""

        return type("SilentHandler", (handler,), {"log": log, "protocol_version": "HTTP/1.1"})


def _put_aside_the_users_settings() -> dict[str, str]:
    """Set this process's environment for moto, and return what was in it."""
    users = {
        name: value for name, value in os.environ.items() if name.startswith(("AWS_", "MOTO_"))
    }
    for name in users:
        del os.environ[name]
    os.environ.update({**_NOBODYS, **_MOTO_SETTINGS})
    return users


def _modules() -> _Modules:
    try:
        import botocore.exceptions  # noqa: PLC0415 (an extra)
        import botocore.session  # noqa: PLC0415 (an extra)
        from moto.backends import get_backend  # noqa: PLC0415 (an extra)
        from moto.core.responses import ActionResult  # noqa: PLC0415 (an extra)
        from moto.ec2.responses import EC2Response  # noqa: PLC0415 (an extra)
        from moto.moto_api._internal import mock_random  # noqa: PLC0415 (an extra)
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 (an extra)
            DomainDispatcherApplication,
            create_backend_app,
        )
        from moto.ssm.responses import SimpleSystemManagerResponse  # noqa: PLC0415 (an extra)
        from werkzeug import serving  # noqa: PLC0415 (comes with moto[server])
    except ImportError:
        raise LabError(_EXTRA) from None
    return _Modules(
        get_backend,
        EC2Response,
        SimpleSystemManagerResponse,
        ActionResult,
        mock_random,
        (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError),
        DomainDispatcherApplication(create_backend_app),
        serving,
        botocore.session,
    )
