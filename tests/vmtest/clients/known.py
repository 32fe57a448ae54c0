"""The clients of the table that a registry has, old and new; only this host runs them.

Python's index, npm's and Debian have them. What the table says of each is in ``judgements``.
"""

from __future__ import annotations

from tests.vmtest.clients.environments import (
    Environment,
    GoProgram,
    NpmPackages,
    PipPackages,
    UnpackedDebian,
)
from tests.vmtest.clients.expectations import (
    BOTH_WAYS,
    FALLS_BACK,
    NEVER_FALLS_BACK,
    ROLE_WITHOUT,
    TOKEN_ALONE,
    V1_ONLY,
    Expectation,
)
from tests.vmtest.clients.roster import CLIENTS, Client

_PYTHON = "{env}/venv/bin/python"
_OLD_PYTHON = ("pypy3", "pypy3-venv")


def _of_pip(
    name: str,
    requirement: str,
    argv: tuple[str, ...],
    caller: str,
    sends: Expectation,
    *more: str,
    is_old: bool = False,
    is_child: bool = False,
) -> Client:
    package = requirement.partition("==")[0]
    version = f"from importlib.metadata import version; print(version('{package}'))"
    return Client(
        name,
        argv,
        (_PYTHON, "-c", version),
        caller,
        sends,
        _OLD_PYTHON if is_old else (),
        PipPackages((requirement, *more), is_old=is_old),
        is_child=is_child,
    )


def _of_debian(
    name: str,
    package: str,
    argv: tuple[str, ...],
    caller: str,
    sends: Expectation,
    *more: str,
    environment: Environment | None = None,
    is_child: bool = False,
    variables: tuple[tuple[str, str], ...] = (),
) -> Client:
    version = ("dpkg-query", "-W", "-f", "${Version}", package)
    packages = (package, *more)
    return Client(name, argv, version, caller, sends, packages, environment, is_child, variables)


_S3CMD = ("{env}/venv/bin/s3cmd", "--dump-config")
_AWS = ("{env}/venv/bin/aws", "configure", "list")

KNOWN = (
    _of_pip(
        "botocore 1.13.25",
        "botocore==1.13.25",
        (_PYTHON, "{programs}/botocore_credentials.py"),
        "python",
        FALLS_BACK,
        is_old=True,
    ),
    _of_pip("AWS CLI 1.16.250", "awscli==1.16.250", _AWS, "aws", V1_ONLY, is_old=True),
    _of_pip("AWS CLI 1", "awscli==1.44.1", _AWS, "aws", FALLS_BACK),
    _of_pip("s3cmd 2.2", "s3cmd==2.2.0", _S3CMD, "s3cmd", V1_ONLY, "setuptools<80"),
    _of_pip("s3cmd 2.3", "s3cmd==2.3.0", _S3CMD, "s3cmd", FALLS_BACK, "setuptools<80"),
    _of_pip("s3cmd 2.4", "s3cmd==2.4.0", _S3CMD, "s3cmd", FALLS_BACK, "setuptools<80"),
    _of_pip(
        "ec2-metadata 1.8",
        "ec2-metadata==1.8.0",
        (_PYTHON, "{programs}/ec2_metadata_client.py"),
        "python",
        V1_ONLY,
    ),
    _of_pip(
        "ec2-metadata",
        "ec2-metadata==2.14.0",
        (_PYTHON, "{programs}/ec2_metadata_client.py"),
        "python",
        TOKEN_ALONE,
    ),
    _of_pip(
        "aiohttp",
        "aiohttp==3.14.5",
        (_PYTHON, "{programs}/aiohttp_client.py"),
        "python",
        BOTH_WAYS,
    ),
    Client(
        "JavaScript SDK 2 metadata",
        ("node", "{programs}/aws_sdk_v2_metadata.js"),
        ("node", "-e", "console.log(require('aws-sdk/package.json').version)"),
        "node",
        V1_ONLY,
        ("nodejs", "npm"),
        NpmPackages(("aws-sdk@2.1693.0",)),
        variables=(
            ("NODE_PATH", "{env}/node_modules"),
            ("AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE", "1"),
        ),
    ),
    _of_debian("s3fs", "s3fs", ("sh", "{programs}/s3fs.sh"), "s3fs", ROLE_WITHOUT, is_child=True),
    _of_debian(
        "ec2metadata",
        "cloud-guest-utils",
        # It has no time-out of its own.
        ("timeout", "10", "/usr/bin/ec2metadata", "--instance-id"),
        "ec2metadata",
        TOKEN_ALONE,
        is_child=True,
    ),
    Client(
        "ec2-net-utils",
        ("bash", "{programs}/ec2_net_utils.sh"),
        ("sh", "-c", "apt-cache policy amazon-ec2-net-utils | grep Candidate"),
        "curl",
        TOKEN_ALONE,
        ("curl",),
        UnpackedDebian("amazon-ec2-net-utils"),
        is_child=True,
        variables=(("EC2_NET_UTILS", "{env}/usr/share/amazon-ec2-net-utils"),),
    ),
    _of_debian("Ohai", "ohai", ("ruby", "{programs}/ohai_ec2.rb"), "ruby", TOKEN_ALONE),
    _of_debian("Facter", "facter", ("ruby", "{programs}/facter_ec2.rb"), "ruby", FALLS_BACK),
    _of_debian(
        "Ruby SDK", "ruby-aws-sdk-core", ("ruby", "{programs}/aws_sdk_core.rb"), "ruby", FALLS_BACK
    ),
    Client(
        "Go SDK",
        ("{env}/aws_sdk_v1",),
        ("{env}/aws_sdk_v1", "version"),
        "aws_sdk_v1",
        FALLS_BACK,
        ("golang-go", "golang-github-aws-aws-sdk-go-dev"),
        GoProgram("aws_sdk_v1.go", uses_debians=True),
    ),
    Client(
        "Go SDK v2",
        ("{env}/aws_sdk_go_v2",),
        ("{env}/aws_sdk_go_v2", "version"),
        "aws_sdk_go_v2",
        FALLS_BACK,
        ("golang-go", "golang-github-aws-aws-sdk-go-v2-dev"),
        GoProgram("aws_sdk_go_v2.go", uses_debians=True),
    ),
    _of_debian(
        "minio-go",
        "golang-github-minio-minio-go-v7-dev",
        ("{env}/minio_iam",),
        "minio_iam",
        NEVER_FALLS_BACK,
        "golang-go",
        environment=GoProgram("minio_iam.go", uses_debians=True),
    ),
)
ALL = (*CLIENTS, *KNOWN)


def debian_packages() -> tuple[str, ...]:
    """Return all Debian packages that this host's clients need, for the set-up script."""
    return tuple(sorted({package for client in ALL for package in client.packages}))
