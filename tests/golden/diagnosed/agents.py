"""Cases: agents under an interpreter, and other people's programs."""

from __future__ import annotations

from tests.golden.diagnosed.case import (
    ANSIBLE,
    ASK,
    CODEDEPLOY,
    NET_HTTP,
    OLD_BOTO,
    OLD_GO,
    PYTHON,
    UPGRADE,
    Case,
)
from tests.golden.diagnosed.lines import INIT, Caller, ran, script, titled

CASES: tuple[Case, ...] = (
    Case(
        "codedeploy-agent",
        Caller((CODEDEPLOY, INIT), "Ruby", unit="codedeploy-agent.service"),
        "unknown",
        ["AWS CodeDeploy agent", "from 1.2.1 on it needs no v1"],
        [ASK],
    ),
    Case(
        "codedeploy-agent-by-its-unit",
        Caller((ran("/usr/bin/ruby3.0", "ruby3.0"), INIT), unit="codedeploy-agent.service"),
        "unknown",
        ["AWS CodeDeploy agent"],
        [ASK],
    ),
    Case(
        "puma",
        Caller(
            (
                titled(
                    "/usr/bin/ruby3.1",
                    "puma 5.6.5 (tcp://0.0.0.0:3000) [shop]",
                    user="app",
                    name="ruby",
                ),
                INIT,
            ),
            "Ruby",
            unit="shop.service",
        ),
        "unknown",
        ["puma", UPGRADE],
        [ASK],
    ),
    Case(
        "awslogs",
        Caller(
            (
                ran(
                    "/usr/bin/python2.7",
                    "/var/awslogs/bin/python2.7",
                    "/var/awslogs/bin/aws",
                    "logs",
                    "push",
                    name="aws",
                ),
                INIT,
            ),
            "python-requests/2.9",
            unit="awslogs.service",
        ),
        "unknown",
        ["awslogs", "replaced by the CloudWatch agent"],
        [ASK],
    ),
    Case(
        "cfn-hup",
        Caller(
            (
                ran(
                    "/usr/bin/python2.7",
                    "/usr/bin/python2.7",
                    "/opt/aws/bin/cfn-hup",
                    name="cfn-hup",
                ),
                INIT,
            ),
            "python-requests/2.6",
            unit="cfn-hup.service",
        ),
        "unknown",
        ["CloudFormation helper scripts", "Upgrade the package aws-cfn-bootstrap"],
        [ASK],
    ),
    Case(
        "s3cmd",
        Caller(
            (
                ran(PYTHON, "/usr/bin/python3", "/usr/bin/s3cmd", "sync", name="s3cmd"),
                script("/opt/ops/sync.sh"),
                INIT,
            )
        ),
        "unknown",
        ["s3cmd"],
        [ASK],
    ),
    Case(
        "ansible-module",
        Caller(
            (
                ran(
                    PYTHON,
                    "/usr/bin/python3",
                    f"{ANSIBLE}/AnsiballZ_ec2_metadata_facts.py",
                    user="ec2-user",
                ),
                ran("/usr/bin/dash", "/bin/sh", "-c", "python3 x && sleep 0", user="ec2-user"),
                titled("/usr/sbin/sshd", "sshd: ec2-user@notty", user="ec2-user"),
                INIT,
            ),
            "ansible-httpget",
        ),
        "unknown",
        ["Ansible", "from 1.5.0 on"],
        [ASK],
    ),
    Case(
        "td-agent",
        Caller(
            (ran("/opt/td-agent/bin/ruby", "/opt/td-agent/bin/ruby", "/usr/sbin/td-agent"), INIT),
            "Ruby",
            unit="td-agent.service",
        ),
        "unknown",
        ["Fluentd", UPGRADE],
        [ASK],
    ),
    Case(
        "salt-minion",
        Caller(
            (ran(PYTHON, "/usr/bin/python3", "/usr/bin/salt-minion", name="salt-minion"), INIT),
            "Python-urllib/3.9",
        ),
        "unknown",
        ["Salt", "3006"],
        [ASK],
    ),
    Case(
        "aws-cli-1",
        Caller(
            (
                ran(
                    PYTHON,
                    "/usr/bin/python3",
                    "/usr/bin/aws",
                    "s3",
                    "cp",
                    "x",
                    "s3://x",
                    name="aws",
                ),
                script("/opt/ops/copy.sh"),
                INIT,
            ),
            "Botocore/1.12.90 Python/3.7",
        ),
        "old_sdk",
        ["It is part of AWS CLI: upgrade that", "/usr/bin/aws --version"],
        [ASK],
    ),
    Case(
        "kubelet",
        Caller(
            (ran("/usr/bin/kubelet", "/usr/bin/kubelet --cloud-provider=aws"), INIT),
            OLD_GO,
            unit="kubelet.service",
        ),
        "old_sdk",
        ["It is part of Kubernetes (kubelet): upgrade that"],
        ["Upgrade AWS SDK for Go", ASK, "If the program is yours"],
    ),
    Case(
        "telegraf-under-a-launcher",
        Caller(
            (
                ran("/usr/bin/telegraf"),
                ran(PYTHON, "/usr/bin/python3", "/usr/bin/supervisord"),
                INIT,
            ),
            NET_HTTP,
        ),
        "unknown",
        ["Telegraf", "from 1.15.0 on"],
        [ASK],
    ),
    Case(
        "terraform-provider",
        Caller(
            (
                ran("/srv/tf/.terraform/providers/x/terraform-provider-aws_v3.20.0_x5", user="app"),
                ran("/usr/local/bin/terraform", "terraform apply", user="app"),
                INIT,
            ),
            OLD_GO,
        ),
        "old_sdk",
        ["Terraform's provider aws", "required_providers"],
        ["Upgrade AWS SDK for Go"],
    ),
    Case(
        "nobody-knows-it",
        Caller((ran("/srv/app/ours"), INIT), OLD_GO, unit="ours.service"),
        "old_sdk",
        [
            "Upgrade AWS SDK for Go from 1.25.0 to 1.25.38",
            "If the program is yours",
            "go version -m /srv/app/ours",
        ],
    ),
    Case(
        "application-server-with-old-sdk",
        Caller(
            (titled(PYTHON, "gunicorn: worker [shop]", name="gunicorn: worke", user="app"), INIT),
            OLD_BOTO,
            unit="shop2.service",
        ),
        "old_sdk",
        ["Upgrade botocore from 1.12.253"],
        ["It is part of"],
    ),
    Case(
        "check-within-the-agent",
        Caller((ran("/opt/datadog-agent/bin/agent/agent"), INIT), "python-requests/2.28.1"),
        "unknown",
        ["Datadog Agent", "a check of yours in /etc/datadog-agent/checks.d"],
    ),
    Case(
        "agent-without-a-check",
        Caller(
            (ran("/opt/datadog-agent/bin/agent/agent"), INIT),
            NET_HTTP,
            unit="datadog-agent.service",
        ),
        "unknown",
        ["Datadog Agent", "from 7.64.0 on"],
        ["checks.d", ASK],
    ),
)
