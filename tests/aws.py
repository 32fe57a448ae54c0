"""Runs moto's server on loopback, logs what it is asked, and adds what it lacks.

moto has no defaults for metadata options, no ImdsSupport of AMIs, and no list of the instances
that Systems Manager reaches. :class:`AwsServer` adds them in its own process, with a state for
each account and Region, and sets the environment in which boto3 and the AWS CLI call it alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
import threading
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple, Optional
from unittest import mock

import botocore.session
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response
from moto.iam.models import get_account_id_from
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.ssm.responses import SimpleSystemManagerResponse
from werkzeug.serving import WSGIRequestHandler, make_server

OWN_ACCOUNT = "123456789012"  # moto's, for credentials that it did not make
ROLE = "audit"
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")

_OWN_KEYS: tuple[str, str, Optional[str]] = ("AKIAAUDITAUDITAUDIT1", "never-checked", None)
Defaults = dict[tuple[str, str], dict[str, Any]]


class Request(NamedTuple):
    """One request, by what it is signed for and what it asks."""

    service: str
    region: str
    operation: str
    account: str


class _Extension:
    """State of what moto lacks, by account and Region."""

    def __init__(self) -> None:
        self.defaults: Defaults = {}
        self.managed: dict[tuple[str, str], dict[str, str]] = {}
        self.parameters: dict[str, str] = {}

    def clear(self) -> None:
        self.defaults.clear()
        self.managed.clear()
        self.parameters.clear()


@functools.lru_cache(maxsize=1)
def _session() -> Any:
    """Return a session that keeps the APIs' descriptions."""
    return botocore.session.Session()


class _Silent(WSGIRequestHandler):
    """Handles a request without a line for it on standard error."""

    protocol_version = "HTTP/1.1"

    def log(self, *_what: object) -> None:
        """Write nothing."""


class AwsServer:
    """A running server. Use it as a context manager."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.extension = _Extension()
        self._faults: dict[tuple[str, str], _Fault] = {}
        self._answers: dict[str, bytes] = {}
        self._held = ""
        self._is_waiting, self._go = threading.Event(), threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> AwsServer:
        """Start the server on a free port of loopback."""
        extend(self.extension, self._stack)
        app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._logged(app), threaded=True, request_handler=_Silent
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        """Stop the server, and take what was added out of moto again."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._stack.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 needs to call this server alone, and never the host's own IMDS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": _OWN_KEYS[0],
            "AWS_SECRET_ACCESS_KEY": _OWN_KEYS[1],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @contextlib.contextmanager
    def in_environment(self) -> Iterator[None]:
        """Set the environment of this process."""
        with mock.patch.dict(os.environ, self.environment):
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
                os.environ.pop(name, None)
            yield

    def client(self, service: str, region: str, account: str = OWN_ACCOUNT) -> Any:
        """Return a client of the server, for what a test prepares; another account's by a role."""
        keys = _OWN_KEYS
        if account != OWN_ACCOUNT:
            answer = self.client("sts", region).assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="story"
            )["Credentials"]
            keys = (answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        return _session().create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
        )

    def set_imds_support(self, image: str, region: str, account: str = OWN_ACCOUNT) -> None:
        """Make an AMI say v2.0."""
        ami: Any = get_backend("ec2")[account][region].amis[image]
        ami.imds_support = "v2.0"

    def reset(self) -> None:
        """Forget everything, also what was asked."""
        self.requests.clear()
        self.extension.clear()
        self._faults.clear()
        self._answers.clear()
        self.let_go()
        BackendDict.reset()

    def fail(self, operation: str, code: str, *, times: int = 1 << 30, account: str = "") -> None:
        """Answer that error from now on, so many times; only one account's if it is named."""
        self._faults[operation, account] = _Fault(code, times)

    def answer(self, operation: str, body: str) -> None:
        """Answer that text from now on."""
        self._answers[operation] = body.encode()

    def hold(self, operation: str) -> threading.Event:
        """Keep requests waiting until let_go(); the event says that one waits."""
        self._held = operation
        self._is_waiting.clear()
        self._go.clear()
        return self._is_waiting

    def let_go(self) -> None:
        """Answer what is held."""
        self._go.set()

    def _logged(self, app: Any) -> Any:
        def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = BytesIO(body)
            found = _request(environ, body)
            if found is not None:
                with self._lock:
                    self.requests.append(found)
                    body_of_fault = self._fault(found)
                if found.operation == self._held:
                    self._is_waiting.set()
                    self._go.wait()
                if body_of_fault is not None:
                    status, text = body_of_fault
                    start_response(status, [("Content-Type", "text/xml")])
                    return [text]
            answer: Iterable[bytes] = app(environ, start_response)
            return answer

        return wsgi

    def _fault(self, request: Request) -> Optional[tuple[str, bytes]]:
        if request.operation in self._answers:
            return "200 OK", self._answers[request.operation]
        for account in (request.account, ""):
            fault = self._faults.get((request.operation, account))
            if fault is not None and fault.times > 0:
                fault.times -= 1
                return "400 Bad Request", _error(request.service, fault.code)
        return None


@dataclasses.dataclass
class _Fault:
    """An error that is answered so many times."""

    code: str
    times: int


def _error(service: str, code: str) -> bytes:
    """Return an error as the service's protocol has it."""
    text = "moto was told to fail"
    if service in ("ssm", "organizations"):
        return json.dumps({"__type": code, "message": text}).encode()
    error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    if service == "ec2":
        return f"<Response><Errors>{error}</Errors></Response>".encode()
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()


def _request(environ: Mapping[str, Any], body: bytes) -> Optional[Request]:
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return None
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    path = environ.get("PATH_INFO", "")
    if target:
        operation = target.rpartition(".")[2]
    elif "/operation/" in path:  # Smithy's protocol
        operation = path.rpartition("/")[2]
    else:
        form = urllib.parse.parse_qs(body.decode("utf-8", "replace"))
        operation = form.get("Action", [f"{environ['REQUEST_METHOD']} {path}"])[0]
    return Request(scope[3], scope[2], operation, get_account_id_from(scope[1]))


def extend(state: _Extension, stack: contextlib.ExitStack) -> None:
    """Add what moto lacks until the stack is closed."""

    def defaults(self: Any) -> ActionResult:
        found = state.defaults.get((self.current_account, self.region), {})
        return ActionResult({"AccountLevel": {"ManagedBy": "account", **found}})

    def modify_defaults(self: Any) -> ActionResult:
        found = state.defaults.setdefault((self.current_account, self.region), {})
        for name in (
            *("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit", "InstanceMetadataTags"),
            "HttpTokensEnforced",
        ):
            value = self._get_param(name)
            if value in ("no-preference", -1, "-1"):
                found.pop(name, None)
            elif value is not None:
                found[name] = value
        return ActionResult({"Return": True})

    def managed(self: Any) -> ActionResult:
        found = state.managed.get((self.current_account, self.region), {})
        listed = [{"InstanceId": id_, "PingStatus": ping} for id_, ping in found.items()]
        return ActionResult({"InstanceInformationList": listed})

    def parameters(self: Any) -> ActionResult:
        names = self._get_param("Names")
        found = [
            {"Name": name, "Value": state.parameters[name], "Type": "String"}
            for name in names
            if name in state.parameters
        ]
        unknown = [name for name in names if name not in state.parameters]
        return ActionResult({"Parameters": found, "InvalidParameters": unknown})

    for owner, name, function in (
        (EC2Response, "get_instance_metadata_defaults", defaults),
        (EC2Response, "modify_instance_metadata_defaults", modify_defaults),
        (SimpleSystemManagerResponse, "describe_instance_information", managed),
        (SimpleSystemManagerResponse, "get_parameters", parameters),
    ):
        stack.enter_context(mock.patch.object(owner, name, function, create=True))
    # moto makes some thousand AMIs for each account and Region, which takes half a second each.
    stack.enter_context(mock.patch.dict(os.environ, {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}))
