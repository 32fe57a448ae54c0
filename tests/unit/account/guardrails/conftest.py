"""Gives the real AWS CLI, pointed at moto's server on the loopback interface."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.aws import AwsServer
from tests.aws_cli import aws_cli

REGION = "eu-west-1"
Api = Callable[[str], Any]


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    """Start moto's server on a free port; of two at a time, moto answers as the later one says."""
    with AwsServer() as server:
        yield server


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the directory of the AWS CLI."""
    with aws_cli(tmp_path_factory.mktemp("cli")) as directory:
        yield directory


@pytest.fixture
def environment(server: AwsServer, programs: Path, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which ``aws`` reaches moto, and nothing else."""
    return {
        **server.environment,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
    }


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Callable[[str], str]:
    """Return what runs a command in bash, in the directory of the test, and gives its output."""

    def run(command: str) -> str:
        ran = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
        return ran.stdout

    return run


@pytest.fixture(scope="module")
def api(server: AwsServer) -> Api:
    """Return what opens an API of moto's. What a test only prepares or looks up needs no CLI."""
    return partial(server.client, region=REGION)
