"""A server that is empty at the start of each test, and nothing else for boto3 to call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws import AwsServer


@pytest.fixture(scope="session")
def running_server() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def aws(running_server: AwsServer) -> Iterator[AwsServer]:
    running_server.reset()
    with running_server.in_environment():
        yield running_server
    running_server.let_go()
