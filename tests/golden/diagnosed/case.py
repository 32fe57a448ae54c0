"""Defines a case: a caller, and the words that must and must not stand in what is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.golden.diagnosed.lines import INIT, V1, Call, Caller, Process, curl, ran, titled

ASK = "Ask for a token first"
UPGRADE = "pgrade"
OLD_BOTO = "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
OLD_GO = "aws-sdk-go/1.25.0 (go1.13; linux; amd64)"
NEW_GO = "aws-sdk-go/1.55.5 (go1.22.5; linux; amd64)"
NEW_GO_2 = "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 ft/ec2-imds"
NET_HTTP = "Go-http-client/1.1"
COMMAND = "3f1c2a4b-1111-2222-3333-444455556666"
SSM = (
    f"/var/lib/amazon/ssm/i-0123456789abcdef0/document/orchestration/{COMMAND}"
    "/awsrunShellScript/0.awsrunShellScript/_script.sh"
)
DEPLOYMENT = (
    "/opt/codedeploy-agent/deployment-root/0a1b2c3d-1111-2222-3333-444455556666/d-ABCDE1234"
    "/deployment-archive/scripts"
)
ANSIBLE = "/home/ec2-user/.ansible/tmp/ansible-tmp-1700000000.1-23-45"
CONTAINER = "3f1c" * 16

SSM_AGENT = ran("/usr/bin/amazon-ssm-agent")
SSM_SHELL = (
    ran("/usr/bin/dash", "sh", user="ssm-user"),
    ran("/usr/bin/ssm-session-worker", "/usr/bin/ssm-session-worker", "alice-0f3b1c2d3e4f5a6b7"),
    ran("/usr/bin/ssm-agent-worker"),
    SSM_AGENT,
    INIT,
)
SSM_RUN = (
    ran("/usr/bin/ssm-document-worker", "/usr/bin/ssm-document-worker", COMMAND),
    SSM_AGENT,
    INIT,
)
CODEDEPLOY = titled("/usr/bin/ruby2.0", "codedeploy-agent: master 812", name="ruby")
SSHD = titled("/usr/sbin/sshd", "sshd: alice@pts/0", user="alice")
SSHD_ROOT = titled("/usr/sbin/sshd", "sshd: alice [priv]")
SHIM = ran("/usr/bin/containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2 -id x")
BUSY = Call("token_request", "no_response", 3)
PYTHON = "/usr/bin/python3.9"


@dataclass(frozen=True)
class Case:
    """A caller, and what stands in the summary, the advice and the commands."""

    name: str
    caller: Caller
    cause: str
    must: Sequence[str]
    must_not: Sequence[str] = ()


def by_curl(
    *chain: Process, unit: str = "", container: str = "", calls: Sequence[Call] = (V1,)
) -> Caller:
    """Return curl below these processes."""
    return Caller((curl(), *chain), "curl/7.88.1", unit, container, calls=calls)
