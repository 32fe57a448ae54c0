"""Runs the lab's AWS for tests: logs what it is asked, and fails, answers or waits as told."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import threading
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple, Optional
from unittest import mock

from botocore.stub import Stubber
from moto.core.base_backend import BackendDict
from moto.iam.models import get_account_id_from

from analyzer.lab.account.cloud import OWN_ACCOUNT, ROLE, Cloud

__all__ = ["OWN_ACCOUNT", "ROLE", "Answers", "AwsServer", "Request"]

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


class Answers(Stubber):  # type: ignore[misc, unused-ignore] # untyped without botocore's stubs
    """Answers a client's calls, as AWS does: with the id that it gives to each request."""

    def add_response(self, method: str, service_response: Any, expected_params: Any = None) -> None:
        """Queue an answer, which botocore's model checks."""
        whole = {"ResponseMetadata": {"RequestId": "1"}, **service_response}
        super().add_response(method, whole, expected_params)


class Request(NamedTuple):
    """One request, by what it is signed for and what it asks."""

    service: str
    region: str
    operation: str
    account: str


class AwsServer(Cloud):
    """A running server. Use it as a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.resets = 0
        self._faults: dict[tuple[str, str], _Fault] = {}
        self._answers: dict[str, bytes] = {}
        self._held = ""
        self._is_waiting, self._go = threading.Event(), threading.Event()
        self._go.set()
        self._lock = threading.Lock()

    def __enter__(self) -> AwsServer:
        """Start it, with nothing in it: moto's state is the process's."""
        super().__enter__()
        self.reset()
        return self

    @contextlib.contextmanager
    def in_environment(self) -> Iterator[None]:
        """Set the environment of this process."""
        with mock.patch.dict(os.environ, self.environment):
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
                os.environ.pop(name, None)
            yield

    def reset(self) -> None:
        """Forget everything, also what was asked."""
        self.forget_orders()
        self.additions.clear()
        self._clients.clear()  # the roles that were taken are gone, too
        BackendDict.reset()
        self.resets += 1

    def forget_orders(self) -> None:
        """Forget what was asked, and fail, answer and hold nothing; the accounts stay."""
        self.requests.clear()
        self._faults.clear()
        self._answers.clear()
        self.let_go()

    def fail(self, operation: str, code: str, *, times: int = 1 << 30, account: str = "") -> None:
        """Answer that error from now on, so many times; only one account's if it is named."""
        self._faults[operation, account] = _Fault(code, times)

    def answer(self, operation: str, body: str) -> None:
        """Answer that text from now on."""
        self._answers[operation] = body.encode()

    def forget_answer(self, operation: str) -> None:
        """Let moto answer again."""
        self._answers.pop(operation, None)

    def hold(self, operation: str) -> threading.Event:
        """Keep requests waiting until let_go(); the event says that one waits."""
        self._held = operation
        self._is_waiting.clear()
        self._go.clear()
        return self._is_waiting

    def let_go(self) -> None:
        """Answer what is held."""
        self._go.set()

    def application(self, moto: Any) -> Any:
        """Put the log, the faults and the answers before moto."""

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
            answer: Iterable[bytes] = moto(environ, start_response)
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
