"""On an instance, the audit gets its credentials by IMDSv2, and never asks without a token.

The emulated IMDS is on loopback, and botocore is told so: nothing here calls the real address.
"""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from analyzer.audit.access import Requests, open_access
from analyzer.audit.accounts import own_account
from analyzer.errors import AnalyzerError
from tests.aws import OWN_ACCOUNT, AwsServer

TOKEN = "X-aws-ec2-metadata-token"
ROLES = "/latest/meta-data/iam/security-credentials/"


class Imds(ThreadingHTTPServer):
    """Answers for an instance with a role. ``has_v2`` False refuses to give tokens."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.has_v2 = True
        self.asked: list[tuple[str, bool]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Imds

    def do_PUT(self) -> None:
        self.server.asked.append(("PUT", True))
        self._answer(200 if self.server.has_v2 else 404, "token")

    def do_GET(self) -> None:
        self.server.asked.append(("GET", self.headers.get(TOKEN) == "token"))
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=6)
        credentials = {
            "Code": "Success",
            "AccessKeyId": "AKIAROLEROLEROLEROLE",
            "SecretAccessKey": "never-checked",
            "Token": "never-checked",
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._answer(200, "web" if self.path == ROLES else json.dumps(credentials))

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: object) -> None:
        """Write nothing."""


@pytest.fixture
def imds(aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Imds]:
    del aws  # its environment, in which this is the only source of credentials
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name)
    with Imds() as server:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_credentials_are_fetched_with_a_token(imds: Imds) -> None:
    assert own_account(open_access(None, Requests())) == OWN_ACCOUNT
    assert imds.asked
    assert all(has_token for _, has_token in imds.asked)
    assert {method for method, _ in imds.asked} == {"PUT", "GET"}


def test_without_a_token_nothing_is_fetched(imds: Imds) -> None:
    imds.has_v2 = False
    with pytest.raises(AnalyzerError, match="Give credentials as for the AWS CLI"):
        own_account(open_access(None, Requests()))
    assert {method for method, _ in imds.asked} == {"PUT"}
