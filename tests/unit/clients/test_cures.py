"""The fix of a library, a package and a line, in words that name version and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.clients import cures
from analyzer.clients.entry import Client
from analyzer.clients.table import Clients

JAVA = Client(
    "AWS SDK for Java 1",
    "sdk",
    library=("maven:com.amazonaws:aws-java-sdk-core",),
    needs="1.11.678",
)
BOTO = Client("boto 2", "sdk", library=("pypi:boto",), advice="Move to boto3.")
ALWAYS = Client("Always", "sdk", library=("npm:always",), needs="0")
CLIENTS = Clients((JAVA, BOTO, ALWAYS))
JAR = "/srv/app/app.jar!/BOOT-INF/lib/aws-java-sdk-core-1.11.500.jar"


@pytest.mark.parametrize("name", ["com.amazonaws:aws-java-sdk-core", "aws-java-sdk-core"])
@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("1.11.500", f"Upgrade `aws-java-sdk-core` 1.11.500 in `{JAR}` to 1.11.678 or later."),
        ("1.11.677", f"Upgrade `aws-java-sdk-core` 1.11.677 in `{JAR}` to 1.11.678 or later."),
        ("1.11.678", None),
        ("1.12.1", None),
        ("", f"Find the version of `aws-java-sdk-core` in `{JAR}`. It must be 1.11.678 or later."),
    ],
)
def test_a_library_is_upgraded(name: str, version: str, wanted: str | None) -> None:
    """By its version; a jar's group may be unknown."""
    found = cures.of_library(CLIENTS, "maven", name, version, JAR)
    assert (found and found.sentence) == wanted


def test_a_library_that_has_no_better_version_is_replaced() -> None:
    """With the entry's advice."""
    found = cures.of_library(CLIENTS, "pypi", "Boto", "2.49.0", "/srv/x", ["tool 1.0"])
    assert found is not None
    assert found.sentence == (
        "Replace `Boto` 2.49.0 in `/srv/x`: no version that needs no IMDSv1 is known. Move to"
        " boto3. It is required by tool 1.0."
    )


@pytest.mark.parametrize(
    ("ecosystem", "name"),
    [("npm", "always"), ("npm", "boto"), ("pypi", "nobody"), ("maven", "sdk-core"), ("x", "boto")],
)
def test_others_need_nothing(ecosystem: str, name: str) -> None:
    """What always speaks v2, and what no entry names."""
    assert cures.of_library(CLIENTS, ecosystem, name, "1", str(Path("/srv"))) is None
