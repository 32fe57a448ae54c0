"""What file names, pom.properties and manifests say of a Java library."""

from __future__ import annotations

import pytest

from analyzer.software import maven
from analyzer.software.maven import Coordinates


@pytest.mark.parametrize(
    ("name", "group", "artifact", "version"),
    [
        ("aws-java-sdk-core-1.11.500.jar", "com.amazonaws", "aws-java-sdk-core", "1.11.500"),
        ("lib/aws-java-sdk-1.7.4.jar", "com.amazonaws", "aws-java-sdk", "1.7.4"),
        ("aws-java-sdk-bundle-1.12.262.jar", "com.amazonaws", "aws-java-sdk-bundle", "1.12.262"),
        ("aws-java-sdk-core.jar", "com.amazonaws", "aws-java-sdk-core", ""),
        ("aws-java-sdk-core-1.11.500-shaded.jar", "com.amazonaws", "aws-java-sdk-core", "1.11.500"),
        ("hadoop-aws-3.3.3-amzn-3.jar", "org.apache.hadoop", "hadoop-aws", "3.3.3-amzn-3"),
        ("hadoop-aws-2.6.0-cdh5.16.2.jar", "org.apache.hadoop", "hadoop-aws", "2.6.0-cdh5.16.2"),
        ("hadoop-aws-3.4.0-SNAPSHOT.jar", "org.apache.hadoop", "hadoop-aws", "3.4.0-SNAPSHOT"),
        ("hadoop-aws-3.3.1-tests.jar", "org.apache.hadoop", "hadoop-aws", "3.3.1"),
        ("auth-2.20.1.jar", "", "auth", "2.20.1"),
        ("sdk-core-2.20.1.jar", "", "sdk-core", "2.20.1"),
        ("shop-1.war", "", "shop", "1"),
        ("my-hadoop-aws-thing.jar", "", "my-hadoop-aws-thing", ""),
        ("x.txt", "", "", ""),
        ("a b.jar", "", "", ""),
        ("-1.jar", "", "", ""),
    ],
)
def test_a_file_name_says_what_it_is(name: str, group: str, artifact: str, version: str) -> None:
    """The group only where no other library has the artifact's name."""
    assert maven.of_file_name(name) == Coordinates(group, artifact, version)


def test_an_endless_name_costs_nothing() -> None:
    """The pattern does not try all ways to split it."""
    assert maven.of_file_name("a-1" + "-1.1" * 20_000 + "!.jar").artifact == ""


def test_pom_properties_win_over_their_place() -> None:
    """What they do not say, the place does."""
    entry = "META-INF/maven/com.amazonaws/aws-java-sdk-core/pom.properties"
    assert maven.of_pom(entry, b"version = 1.11.3\r\n") == Coordinates(
        "com.amazonaws", "aws-java-sdk-core", "1.11.3"
    )
    said = b"#comment\nartifactId=other\ngroupId=g\nversion=2\nversion=3\n"
    assert maven.of_pom(entry, said) == Coordinates("g", "other", "2")
    assert maven.of_pom(entry, b"version=${project.version}\n").version == ""
    assert maven.of_pom(entry, b"version=1\x1b[0m\n").version == ""
    assert maven.of_pom_name("x/META-INF/maven/g/a/pom.properties") == Coordinates("", "", "")


def test_the_class_path_of_a_manifest_goes_on_over_lines() -> None:
    """At 72 bytes; what comes behind an empty line belongs to single files."""
    manifest = (
        b"Manifest-Version: 1.0\r\nclass-path: lib/a.jar lib/b\r\n .jar  file:/opt/c.jar\r\n"
        b"Main-Class: M\r\n\r\nName: x\r\nClass-Path: no.jar\r\n"
    )
    assert maven.class_path(manifest) == ["lib/a.jar", "lib/b.jar", "file:/opt/c.jar"]
    assert maven.class_path(b"Manifest-Version: 1.0\n\nClass-Path: no.jar\n") == []


@pytest.mark.parametrize(
    ("constants", "version"),
    [
        (b"\x01\x00\x07VERSION\x01\x00\x062.20.1\x0c\x00\x05", "2.20.1"),
        (b"\x01\x00\x0f2.31.0-SNAPSHOT\x01\x00\x01x", "2.31.0-SNAPSHOT"),
        (b"\x01\x00\x0a2.20.1-ab1\0\x31", "2.20.1-ab1"),
        (b"\x01\x00\x082.20.100\x31", "2.20.100"),
        (b"\x01\x00\x062.20.1-x", "2.20.1"),
        (b"\x01\x00\x102.20 and more", ""),
        (b"\x01\x00\x142.20.1 and more text", ""),
        (b"\x01\x00\x061.20.1\x0c", ""),
        (b"", ""),
    ],
)
def test_the_sdks_own_class_has_the_version(constants: bytes, version: str) -> None:
    """As javac writes a constant."""
    assert maven.sdk2_version(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x40" + constants) == version
