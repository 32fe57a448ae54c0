"""Runs moto's server on loopback: AWS accounts that cost nothing and are gone at the end.

:class:`Cloud` adds to its own process what moto lacks. What moto's API cannot set is set in its
state, such as ImdsSupport of AMIs and the times of launches.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Callable, NamedTuple, Optional

from analyzer.account.descriptions import quick
from analyzer.errors import LabError
from analyzer.lab.account.additions import Additions, Place

OWN_ACCOUNT = "123456789012"  # moto's, for keys that it did not make
ROLE = "imds-analyzer-audit"
_EXTRA = (
    "`lab --account` needs the packages moto and boto3, which are not installed. Install them with"
    " pip install 'imds-analyzer[lab-account]', on Python 3.10 or later"
)
_KEYS = ("AKIALABLABLABLABLAB1", "not-a-real-secret")
_SEED = 14
# Neither keys nor files of the user, nor this host's own IMDS.
NOBODYS = {
    "AWS_ACCESS_KEY_ID": _KEYS[0],
    "AWS_SECRET_ACCESS_KEY": _KEYS[1],
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# moto makes some thousand AMIs for each account and Region, which takes half a second each.
_MOTO_SETTINGS = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}


class _Modules(NamedTuple):
    """Objects imported from the extra's packages."""

    backends: Any
    ec2: Any
    ssm: Any
    result: Any
    random: Any
    failures: tuple[type[Exception], ...]
    application: Any
    responses: Any
    serving: ModuleType
    session: ModuleType


class Cloud:
    """A running server, as a context manager. Raises LabError where moto is not installed."""

    def __init__(self) -> None:
        """Prepare only; entering the context starts the server."""
        self.additions = Additions()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._stack = contextlib.ExitStack()
        self._server: Any = None

    def __enter__(self) -> Cloud:
        """Start it on a free port of loopback."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(_set(_MOTO_SETTINGS))
            stack.enter_context(_descriptions_read_once())
            self._modules = _modules()
            self._session = self._modules.session.Session()
            self._modules.random.seed(_SEED)  # ids are the same in each run
            added = self.additions.in_place(
                self._modules.ec2, self._modules.ssm, self._modules.result
            )
            stack.enter_context(added)
            # moto looks them up anew for each request, which takes a sixth of its time.
            responses = self._modules.responses
            names = responses.method_names_from_class
            stack.callback(setattr, responses, "method_names_from_class", names)
            responses.method_names_from_class = functools.cache(names)
            application = self.application(self._modules.application)
            self._server = self._modules.serving.make_server(
                "127.0.0.1", 0, application, threaded=True, request_handler=self._silent()
            )
            stack.callback(self._server.server_close)
            thread = threading.Thread(target=self._server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._server.shutdown)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_raised: object) -> None:
        """Stop it, and leave moto as it was."""
        self._stack.close()

    def application(self, moto: Any) -> Any:  # noqa: ANN401 (WSGI's)
        """Return the WSGI application that answers; tests put one before moto's."""
        return moto

    @property
    def url(self) -> str:
        """The address at which the server listens."""
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

    @property
    def environment(self) -> dict[str, str]:
        """The environment with which boto3 calls this server alone, never the host's own IMDS."""
        return {**NOBODYS, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str, region: str, account: str = OWN_ACCOUNT) -> Any:  # noqa: ANN401
        """Return botocore's client of a service; another account's by a role in it."""
        key = (service, region, account)
        if key not in self._clients:
            self._clients[key] = self._new_client(*key)
        return self._clients[key]

    def _new_client(self, service: str, region: str, account: str) -> Any:  # noqa: ANN401
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

    def set_imds_support(self, image: str, region: str, account: str = OWN_ACCOUNT) -> None:
        """Make an AMI say v2.0."""
        self.backend("ec2", (account, region)).amis[image].imds_support = "v2.0"

    def _silent(self) -> Any:  # noqa: ANN401 (werkzeug's)
        handler: Any = self._modules.serving.WSGIRequestHandler

        def log(_handler: object, *_what: object) -> None:
            """Write no line for a request: standard error is the user's."""

        return type("SilentHandler", (handler,), {"log": log, "protocol_version": "HTTP/1.1"})


@contextlib.contextmanager
def users_settings_put_aside() -> Iterator[None]:
    """Leave this process no setting and no key of a real account meanwhile.

    moto opens sessions of its own, already when it is imported.
    """
    users = {
        name: value for name, value in os.environ.items() if name.startswith(("AWS_", "MOTO_"))
    }
    for name in users:
        del os.environ[name]
    try:
        with _set(NOBODYS):
            yield
    finally:
        os.environ.update(users)


@contextlib.contextmanager
def _set(settings: Mapping[str, str]) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _descriptions_read_once() -> Iterator[None]:
    """Let botocore's sessions share them, and let moto list botocore's services once.

    moto opens four sessions when it is imported, and lists 400 services for each that is used.
    """
    try:
        from botocore import session  # noqa: PLC0415 (an extra)
        from moto.core import utils  # noqa: PLC0415 (an extra)
    except ImportError:
        raise LabError(_EXTRA) from None
    modules: tuple[Any, ...] = (session, utils)
    # Another version of moto may do without.
    formers = [(each, each.create_loader) for each in modules if hasattr(each, "create_loader")]
    for module, former in formers:
        module.create_loader = _shared(former)
    try:
        yield
    finally:
        for module, former in formers:
            module.create_loader = former


@functools.cache  # also for the next server of this process
def _shared(create_loader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.cache  # all sessions have the same path: the settings of NOBODYS say so
    def create(*data_path: Optional[str]) -> Any:  # noqa: ANN401 (botocore's)
        return quick(create_loader(*data_path))

    return create


def _modules() -> _Modules:
    try:
        import botocore.exceptions  # noqa: PLC0415 (an extra)
        import botocore.session  # noqa: PLC0415 (an extra)
        from moto.backends import get_backend  # noqa: PLC0415 (an extra)
        from moto.core import responses  # noqa: PLC0415 (an extra)
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
    application: Any = DomainDispatcherApplication(create_backend_app)
    # It lists moto's own directory for each request.
    application.get_backend_for_host = functools.cache(application.get_backend_for_host)
    return _Modules(
        get_backend,
        EC2Response,
        SimpleSystemManagerResponse,
        responses.ActionResult,
        mock_random,
        (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError),
        application,
        responses,
        serving,
        botocore.session,
    )
