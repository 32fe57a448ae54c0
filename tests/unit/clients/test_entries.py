"""The entries that are shipped: each is whole, and its libraries are judged at its threshold."""

from __future__ import annotations

import pytest

from analyzer.clients.entry import KINDS, Client
from analyzer.clients.reading import load_clients
from analyzer.clients.versions import maybe_version

CLIENTS = load_clients()


@pytest.mark.parametrize("client", CLIENTS.entries, ids=lambda each: each.name)
def test_every_entry_that_is_shipped_is_whole(client: Client) -> None:
    """Names are unique, sources are public pages, versions and settings make sense."""
    assert [each.name for each in CLIENTS.entries].count(client.name) == 1
    assert client.kind in KINDS
    assert all(each.startswith("https://") for each in client.source)
    assert client.checked or client.kind in ("tool", "library")
    if client.user_agent is not None and client.kind in ("program", "sdk"):
        assert "version" in client.user_agent.groupindex
    if client.setting_since and client.needs:
        since, needs = maybe_version(client.setting_since), maybe_version(client.needs)
        assert since is not None
        assert needs is not None
        assert since < needs


@pytest.mark.parametrize("client", CLIENTS.entries, ids=lambda each: each.name)
def test_every_library_and_package_is_its_entrys(client: Client) -> None:
    """At the first version that needs no v1, and below it in the same line."""
    libraries = [each.partition(":") for each in client.library]
    found = [CLIENTS.maybe_library(each[0], each[2], client.needs) for each in libraries]
    found += [CLIENTS.maybe_package(each, client.needs) for each in client.package]
    assert all(each is client for each in found)
    if client.needs is None:
        assert client.maybe_is_below("999") is True
    else:
        assert client.maybe_is_below(client.needs) is False
        assert client.needs == "0" or client.maybe_is_below("0.0.1") is True


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "entry", "is_below"),
    [
        ("maven", "com.amazonaws:aws-java-sdk-core", "1.11.500", "AWS SDK for Java", True),
        ("maven", "com.amazonaws:aws-java-sdk-core", "1.12.700", "AWS SDK for Java", False),
        ("maven", "software.amazon.awssdk:auth", "2.9.0", "AWS SDK for Java 2.x", True),
        ("pypi", "botocore", "1.12.253", "botocore", True),
        ("pypi", "Boto3", "1.10.24", "boto3", True),
        ("pypi", "Boto3", "1.11.0", "boto3", False),
        ("pypi", "metaflow", "2.11.10", "Metaflow", True),
        ("pypi", "newrelic", "7.4.0.172", "New Relic Python agent", True),
        ("pypi", "newrelic", "9.1.0", "New Relic Python agent", False),
        ("pypi", "boto", "2.49.0", "boto 2", True),
        ("pypi", "s3cmd", "2.2.0", "s3cmd", True),
        ("npm", "aws-sdk", "2.574.0", "AWS SDK for JavaScript", True),
        ("npm", "aws-sdk", "2.700.0", "AWS SDK for JavaScript", False),
        ("npm", "@aws-sdk/credential-provider-imds", "3.0.0", "AWS SDK for JavaScript 3", False),
        ("gem", "aws-sdk-core", "3.168.1", "AWS SDK for Ruby", False),
        ("gem", "aws-sdk-core", "2.11.400", "AWS SDK for Ruby 2", True),
        ("gem", "aws-sdk-core", "2.11.632", "AWS SDK for Ruby 2", False),
        ("composer", "aws/aws-sdk-php", "3.118.0", "AWS SDK for PHP", True),
        ("composer", "aws/aws-sdk-php", "3.120.0", "AWS SDK for PHP", False),
        ("nuget", "awssdk.core", "3.3.103.65", "AWSSDK.Core", True),
        ("nuget", "AWSSDK.Core", "3.7.302.11", "AWSSDK.Core", False),
        ("go", "github.com/aws/aws-sdk-go", "v1.25.37", "AWS SDK for Go", True),
        ("go", "github.com/aws/aws-sdk-go", "v1.44.133", "AWS SDK for Go", False),
        ("go", "github.com/aws/aws-sdk-go-v2/feature/ec2/imds", "v1.0.0",
         "AWS SDK for Go v2, module imds", False),
        ("go", "github.com/minio/minio-go/v7", "v7.0.10", "minio-go", True),
        ("cargo", "aws_config", "0.0.22-alpha", "AWS SDK for Rust", False),
        ("cpan", "Paws", "0.46", "Paws", True),
    ],
)  # fmt: skip
def test_a_librarys_version_is_judged(
    ecosystem: str, name: str, version: str, entry: str, is_below: bool
) -> None:
    """As a scan asks for it."""
    found = CLIENTS.maybe_library(ecosystem, name, version)
    assert found is not None
    assert (found.name, found.maybe_is_below(version)) == (entry, is_below)


@pytest.mark.parametrize(
    ("package", "version", "entry", "is_below"),
    [
        ("s3fs", "1.90-1", "s3fs", True),
        ("facter", "3.14.12-1", "Facter 3", True),
        ("facter", "4.3.0-2", "Facter", False),
        ("ohai", "16.13.0-3", "Chef Ohai", False),
        ("cloud-guest-utils", "0.33-1", "ec2metadata (cloud-guest-utils)", False),
        ("docker-ce", "5:20.10.24~3-0~debian-bullseye", "Docker's awslogs", False),
        ("awscli", "1.16.113-1", "AWS CLI", True),
        ("awscli", "2.9.19-1", "AWS CLI", False),
        ("amazon-ec2-net-utils", "2.3.0-3", "amazon-ec2-net-utils", False),
        ("subscription-manager", "1.29.40-1.el9", "subscription-manager", True),
        ("subscription-manager", "1.29.51-1.el9", "subscription-manager", False),
        ("amazon-efs-utils", "1.30.2-1", "Amazon EFS utilities", True),
        ("amazon-efs-utils", "2.0.4-1", "Amazon EFS utilities", False),
        ("vector", "0.20.1-1", "Vector", True),
        ("vault", "1.3.10-1", "HashiCorp Vault", True),
        ("osquery", "4.8.0-1.linux", "osquery", True),
        ("osquery", "5.9.1-1.linux", "osquery", False),
        ("mount-s3", "1.0.0", "Mountpoint for Amazon S3", False),
        ("newrelic-php5", "9.19.0.309", "New Relic PHP agent", True),
        ("fluent-bit", "1.8.15", "Fluent Bit", False),
        ("nomad", "0.10.5-1", "HashiCorp Nomad", False),
    ],
)
def test_a_packages_version_is_judged(
    package: str, version: str, entry: str, is_below: bool
) -> None:
    """With its epoch and its revision, which are the distribution's."""
    found = CLIENTS.maybe_package(package, version)
    assert found is not None
    assert (found.name, found.maybe_is_below(version)) == (entry, is_below)
