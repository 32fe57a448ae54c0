"""Cases: scripts that somebody else's program starts, user data, and people."""

from __future__ import annotations

from tests.golden.diagnosed.case import (
    ANSIBLE,
    ASK,
    CODEDEPLOY,
    COMMAND,
    CONTAINER,
    DEPLOYMENT,
    OLD_BOTO,
    PYTHON,
    SHIM,
    SSHD,
    SSHD_ROOT,
    SSM,
    SSM_RUN,
    SSM_SHELL,
    UPGRADE,
    Case,
    by_curl,
)
from tests.golden.diagnosed.lines import INIT, Caller, curl, ran, script

CASES: tuple[Case, ...] = (
    Case(
        "session-manager",
        Caller((curl(user="ssm-user"), *SSM_SHELL), "curl/7.88.1", unit="amazon-ssm-agent.service"),
        "script",
        [
            "a person, ssm-user, typed curl",
            "session alice-0f3b1c2d3e4f5a6b7",
            "No program has to be changed",
        ],
        [UPGRADE, "SSM Agent", "systemctl"],
    ),
    Case(
        "session-manager-command",
        Caller(
            (
                curl(user="ssm-user"),
                ran(
                    "/usr/bin/dash",
                    "sh",
                    "-c",
                    "curl -s http://169.254.169.254/; true",
                    user="ssm-user",
                ),
                *SSM_SHELL[1:],
            ),
            "curl/8.1",
            unit="amazon-ssm-agent.service",
        ),
        "script",
        ["a person, ssm-user, sent a command with curl", "Session Manager"],
        [UPGRADE, "SSM Agent"],
    ),
    Case(
        "ssh-and-sudo",
        Caller(
            (
                curl(),
                ran("/usr/bin/sudo", "sudo curl -s http://169.254.169.254/"),
                ran("/usr/bin/bash", "-bash", user="alice"),
                SSHD,
                SSHD_ROOT,
                INIT,
            ),
            "curl/7.88.1",
            unit="session-12.scope",
        ),
        "script",
        ["a person, alice (as root), typed curl", "sshd on pts/0", "session-12.scope"],
        [UPGRADE],
    ),
    Case(
        "person-with-old-cli",
        Caller(
            (
                ran(
                    PYTHON, "/usr/bin/python3", "/usr/bin/aws", "s3", "ls", user="alice", name="aws"
                ),
                ran("/usr/bin/bash", "-bash", user="alice"),
                SSHD,
                SSHD_ROOT,
                INIT,
            ),
            "aws-cli/1.16.100 Python/3.7 Botocore/1.12.90",
            unit="session-13.scope",
        ),
        "script",
        ["a person, alice", "session-13.scope", "1.16.289 or later"],
        [UPGRADE, ASK],
    ),
    Case(
        "run-command",
        by_curl(script(SSM, "/bin/sh"), *SSM_RUN, unit="amazon-ssm-agent.service"),
        "script",
        [
            "a document of Systems Manager",
            "Change the document",
            ASK,
            f"aws ssm list-commands --command-id {COMMAND}",
        ],
        [UPGRADE],
    ),
    Case(
        "script-that-run-command-starts",
        by_curl(script("/opt/ops/started.sh"), script(SSM, "/bin/sh"), *SSM_RUN),
        "script",
        ["started.sh calls curl"],
        ["Change the document", UPGRADE],
    ),
    Case(
        "codedeploy-hook",
        by_curl(
            script(f"{DEPLOYMENT}/register.sh"), CODEDEPLOY, INIT, unit="codedeploy-agent.service"
        ),
        "script",
        [
            "a hook of an application that CodeDeploy deploys (register.sh) calls curl",
            "appspec.yml",
            "aws deploy get-deployment --deployment-id d-ABCDE1234",
        ],
        [UPGRADE, "disable_imds_v1"],
    ),
    Case(
        "codedeploy-hook-in-python-with-old-sdk",
        Caller(
            (script(f"{DEPLOYMENT}/tags.py", "/usr/bin/python3"), CODEDEPLOY, INIT),
            OLD_BOTO,
            unit="codedeploy-agent.service",
        ),
        "old_sdk",
        ["Upgrade botocore from 1.12.253 to 1.13.25"],
        ["disable_imds_v1", "CodeDeploy agent"],
    ),
    Case(
        "jenkins",
        by_curl(
            script("/var/lib/jenkins/workspace/build@tmp/durable-1a2b3c4d/script.sh", "/bin/sh"),
            ran("/usr/bin/java", "java -jar /home/jenkins/agent.jar"),
            INIT,
        ),
        "script",
        ["a Jenkins job", "Jenkinsfile", ASK],
        [UPGRADE],
    ),
    Case(
        "datadog-check",
        Caller(
            (
                script(
                    "/etc/datadog-agent/checks.d/zone.py",
                    "/opt/datadog-agent/embedded/bin/python3",
                    "dd-agent",
                ),
                ran("/opt/datadog-agent/bin/agent/agent", user="dd-agent"),
                INIT,
            ),
            "python-requests/2.31.0",
            unit="datadog-agent.service",
        ),
        "script",
        ["a Datadog check of yours", "checks.d", ASK],
        [UPGRADE, "ec2_prefer_imdsv2"],
    ),
    Case(
        "buildkite",
        by_curl(
            script("/var/lib/buildkite-agent/builds/ip-10-0-0-7-1/org/app/ci.sh"),
            ran("/usr/bin/buildkite-agent"),
            INIT,
        ),
        "script",
        ["a Buildkite job", "pipeline"],
        [UPGRADE],
    ),
    Case(
        "github-runner",
        by_curl(
            script(
                "/home/runner/actions-runner/_work/_temp/1f2e3d4c-aaaa-bbbb-cccc-ddddeeeeffff.sh"
            ),
            ran("/home/runner/actions-runner/bin/Runner.Worker"),
            INIT,
        ),
        "script",
        ["a workflow of GitHub Actions", ".github/workflows"],
        [UPGRADE],
    ),
    Case(
        "gitlab-runner",
        by_curl(
            ran("/usr/bin/bash", "bash --login"),
            ran("/usr/bin/gitlab-runner", "gitlab-runner run"),
            INIT,
        ),
        "script",
        ["a job of GitLab CI", ".gitlab-ci.yml"],
        [UPGRADE],
    ),
    Case(
        "chef-recipe",
        by_curl(
            ran("/usr/bin/dash", "sh", "-c", "curl -s http://169.254.169.254/latest/"),
            ran(
                "/opt/chef/embedded/bin/ruby", "/opt/chef/embedded/bin/ruby", "/usr/bin/chef-client"
            ),
            INIT,
            unit="chef-client.service",
        ),
        "script",
        ["a resource of a Chef recipe", "cookbook"],
        ["Ohai", UPGRADE],
    ),
    Case(
        "puppet-fact",
        by_curl(
            script("/opt/puppetlabs/facter/facts.d/zone.sh"),
            ran(
                "/opt/puppetlabs/puppet/bin/ruby",
                "/opt/puppetlabs/puppet/bin/ruby",
                "/opt/puppetlabs/puppet/bin/puppet",
                "agent",
            ),
            INIT,
        ),
        "script",
        ["a fact of a Puppet module", "Change the module"],
        ["Facter", UPGRADE],
    ),
    Case(
        "ansible-shell-task",
        by_curl(
            ran("/usr/bin/dash", "/bin/sh", "-c", "curl -s http://169.254.169.254/ | jq ."),
            ran(PYTHON, "/usr/bin/python3", f"{ANSIBLE}/AnsiballZ_command.py"),
            INIT,
        ),
        "script",
        ["a task of an Ansible playbook", "Change the task"],
        [UPGRADE],
    ),
    Case(
        "cron",
        by_curl(
            ran("/usr/bin/dash", "/bin/sh", "-c", "curl -s http://169.254.169.254/ > /run/zone"),
            ran("/usr/sbin/cron", "/usr/sbin/CRON -f"),
            INIT,
            unit="cron.service",
        ),
        "script",
        ["a crontab", "Change the entry"],
        [UPGRADE],
    ),
    Case(
        "user-data",
        by_curl(
            script("/var/lib/cloud/instance/scripts/part-001"),
            ran(PYTHON, "/usr/bin/python3", "/usr/bin/cloud-init", "modules", "--mode=final"),
            INIT,
            unit="cloud-final.service",
        ),
        "script",
        [
            "user data (part-001)",
            "new version of the launch template",
            "describe-instance-attribute",
            "--instance-id i-0123456789abcdef0",
        ],
        [UPGRADE],
    ),
    Case(
        "boot-script-of-the-image",
        by_curl(
            script("/var/lib/cloud/scripts/per-boot/tags.sh"),
            ran(PYTHON, "/usr/bin/python3", "/usr/bin/cloud-init", "modules"),
            INIT,
            unit="cloud-final.service",
        ),
        "script",
        ["what builds the image (AMI)"],
        ["launch template", UPGRADE],
    ),
    # --- where a script stands that nobody generates ---
    Case(
        "command-of-a-unit",
        by_curl(ran("/usr/bin/dash", "/bin/sh", "-c", "curl x"), INIT, unit="zone.service"),
        "script",
        ["the unit zone.service", "ExecStart=", "systemctl cat -- zone.service"],
        [UPGRADE],
    ),
    Case(
        "script-of-a-package",
        by_curl(script("/usr/bin/some-tool"), INIT),
        "script",
        ["if one owns it, upgrade that", "dpkg -S /usr/bin/some-tool"],
    ),
    Case(
        "script-of-an-image",
        by_curl(script("/entrypoint.sh"), SHIM, container=CONTAINER),
        "script",
        ["build the image anew"],
        [UPGRADE],
    ),
    Case(
        "python-from-standard-input",
        Caller(
            (ran(PYTHON, "python3 -"), script("/opt/ops/heredoc.sh"), INIT), "Python-urllib/3.9"
        ),
        "script",
        ["heredoc.sh calls python3", ASK],
        [UPGRADE],
    ),
)
