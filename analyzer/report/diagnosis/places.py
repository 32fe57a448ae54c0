"""Names the places of scripts that somebody else's program starts or writes.

A pattern is of the whole path, or of the whole name of the program that started the script. What
its groups match stands for ``{group}`` in the texts, quoted in the commands.
"""

from __future__ import annotations

from typing import NamedTuple

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TMP = r"(?:/private)?(?:/var)?/tmp"
_USER_DATA = (
    "aws ec2 describe-instance-attribute --instance-id INSTANCE_ID --attribute userData"
    " --query UserData.Value --output text | base64 -d"
)
_LAUNCH_TEMPLATE = (
    "aws ec2 describe-launch-template-versions --launch-template-id LAUNCH_TEMPLATE_ID"
    " --versions '$Default' '$Latest'"
)
_OF_USER_DATA = (
    "Change the user data: in a new version of the launch template, or in the instance's attribute"
    " while it is stopped. The file on the instance is a copy, which the next launch has anew."
)


class Row(NamedTuple):
    """One place: whose script it is, how it is fixed, and what shows it."""

    pattern: str
    whose: str
    cure: str
    commands: tuple[str, ...] = ()
    is_user_data: bool = False


_SSM = (
    "a document of Systems Manager",
    (
        "Change the document, or the command that was sent with it (Run Command, State Manager):"
        " the agent writes the script anew for each run."
    ),
)
_JENKINS = (
    "a Jenkins job",
    "Change the Jenkinsfile, or the job's build step: Jenkins writes the script anew for each run.",
)
_ACTIONS = (
    "a workflow of GitHub Actions",
    (
        "Change the workflow file in .github/workflows: the runner writes the script anew for each"
        " run."
    ),
)
_GITLAB = ("a job of GitLab CI", "Change .gitlab-ci.yml: the runner makes the script from it.")
_BUILDKITE = (
    "a Buildkite job",
    "Change the pipeline's steps, or the script in its repository: the agent checks it out anew.",
)
_ANSIBLE = (
    "a task of an Ansible playbook",
    "Change the task in the playbook: Ansible copies the file anew for each run.",
)
_CHEF = ("a resource of a Chef recipe", "Change the recipe in its cookbook: Chef runs it anew.")
_PUPPET = (
    "an exec or a fact of a Puppet module",
    "Change the module on the Puppet server: the next run overwrites the file.",
)
_SALT = (
    "a Salt state or module of yours",
    "Change it in the state tree on the Salt master: the minion's copy is overwritten.",
)
_HOOK = (
    "a hook of an application that CodeDeploy deploys",
    (
        "Change the script in the application's revision (appspec.yml names it) and deploy it:"
        " the next deployment brings the files anew."
    ),
)
_CFN = (
    "a command in a CloudFormation template",
    "Change AWS::CloudFormation::Init in the template's metadata, and update the stack.",
)
_PLUGIN = "Change the script; the agent only starts it."

FILES: tuple[Row, ...] = (
    Row(
        r"/var/lib/cloud/instances?(?:/[^/]+)?(?:/scripts/(?:part-[0-9]+|runcmd|userdata.*)"
        r"|/user-data.*|/boothooks/.*|/cloud-config.*)",
        "user data", _OF_USER_DATA, (_USER_DATA, _LAUNCH_TEMPLATE), is_user_data=True,
    ),
    Row(r"/(?:var/)?run/(?:cloud-init/)?user-?data.*|/root/user-?data[^/]*", "user data",
        _OF_USER_DATA, (_USER_DATA, _LAUNCH_TEMPLATE), is_user_data=True),
    Row(r"/var/lib/cloud/scripts/(?:per-boot|per-instance|per-once|vendor)/.*",
        "a script that the image has for each boot",
        "Change it in what builds the image (AMI): each new instance starts with a copy of it."),
    Row(rf"(?:/var/lib/amazon/ssm|/var/log/amazon/ssm)/.*/orchestration/(?P<command>{_UUID})/.*",
        *_SSM, ("aws ssm list-commands --command-id {command}",)),
    Row(r"(?:/var/lib/amazon/ssm|/var/log/amazon/ssm)/.*/orchestration/.*", *_SSM),
    Row(r".*/deployment-root/[0-9a-fA-F-]{36}/(?P<deployment>d-[0-9A-Z]+)/.*", *_HOOK,
        ("aws deploy get-deployment --deployment-id {deployment}",)),
    Row(r".*/deployment-root/.*|.*/deployment-archive/.*", *_HOOK),
    Row(r".*/(?:jenkins|workspace)/.*/durable-[0-9a-zA-Z]+/script\.sh(?:\.copy)?", *_JENKINS),
    Row(r".*/durable-[0-9a-zA-Z]+/.*|.*/(?:jenkins|hudson)[0-9]{5,}\.(?:sh|py|rb|pl|groovy)",
        *_JENKINS),
    Row(r".*/_?work/_actions/(?P<action>[^/]+/[^/]+)/.*", "the GitHub action {action}",
        "Use a later release of the action in the workflow."),
    Row(r".*/_?work/_temp/.*", *_ACTIONS),
    Row(r".*/_?work/(?P<repository>[^/]+)/(?P=repository)/.*",
        "a script of the repository {repository}, in a workflow of GitHub Actions",
        "Change it in the repository: the runner checks it out anew for each run."),
    Row(r".*/buildkite[^/]*/hooks/.*", "a hook of the Buildkite agent, which is yours",
        "Change the hook, in what sets the agent up: an agent's image, or its stack's settings."),
    Row(rf".*/buildkite[^/]*/(?:builds|plugins)/.*|{_TMP}/buildkite[^/]*/.*", *_BUILDKITE),
    Row(r".*/gitlab-runner/builds/.*|/builds/.*", *_GITLAB),
    Row(r".*/agentTmp/custom_script[0-9]+", "a TeamCity build",
        "Change the build step: the agent writes the script anew for each run."),
    Row(r"/codebuild/(?:output|readonly)/.*", "a CodeBuild build",
        "Change the buildspec, or the script in the build's sources."),
    Row(r".*/\.?ansible/tmp/ansible-tmp-[0-9.-]+/(?!AnsiballZ_).*", *_ANSIBLE),
    Row(r".*/AnsiballZ_(?:command|shell|raw|script|expect|uri|get_url|async_wrapper)\.py",
        *_ANSIBLE),
    Row(r".*/ansible_(?:command|shell|uri|get_url)_payload_.*", *_ANSIBLE),
    Row(r".*/(?:chef-script|chef-client)[-_]?[0-9][^/]*|/var/chef/.*|/etc/chef/ohai/plugins/.*",
        *_CHEF),
    Row(r".*/facts\.d/.*|.*/puppet-file[-_]?[0-9].*|.*/puppet/cache/(?:lib|facts\.d)/.*",
        *_PUPPET),
    Row(r"/var/cache/salt/minion/(?:files|extmods)/.*|.*/__salt\.tmp\..*", *_SALT),
    Row(r"/etc/(?:datadog-agent|dd-agent)/(?:checks\.d|conf\.d)/.*", "a Datadog check of yours",
        "Change the check in checks.d; Datadog's agent only runs it."),
    Row(r"/var/db/newrelic-infra/custom-integrations/.*|/etc/newrelic-infra/.*",
        "an integration of yours in New Relic's agent", _PLUGIN),
    Row(r".*/(?:nagios|monitoring-plugins|icinga2?)/(?:plugins|libexec)/.*|.*/nagios/libexec/.*"
        r"|.*/zabbix/(?:externalscripts|alertscripts)/.*|.*/(?:sensu|munin|collectd)/plugins/.*"
        r"|/usr/lib/check_mk_agent/(?:local|plugins)/.*",
        "a plugin of a monitoring agent", _PLUGIN),
    Row(r".*/(?:airflow|composer)/dags/.*|.*/dags/[^/]+\.py", "a DAG of Airflow",
        "Change the DAG in its repository: Airflow only runs it."),
    Row(r".*/(?:usercache/[^/]+/appcache|containers)/.*application_[0-9]+_[0-9]+.*",
        "a job on YARN", "Change the job's own files, with which it is submitted."),
    Row(r".*/bootstrap-actions/.*|.*/hadoop/steps/.*", "a bootstrap action or step of Amazon EMR",
        "Change the script in Amazon S3: EMR fetches a copy for each cluster."),
    Row(r"/var/app/.*/\.platform/.*|/opt/elasticbeanstalk/hooks/.*|.*/\.ebextensions/.*",
        "a hook of an Elastic Beanstalk application",
        "Change it in the application's source bundle, and deploy that."),
    Row(rf"{_TMP}/terraform_[0-9]+\.sh", "a provisioner of Terraform",
        "Change the provisioner in the configuration: Terraform copies the script anew."),
    Row(rf"{_TMP}/(?:script|packer-shell)[-_]?[0-9]+\.sh", "a provisioner of Packer",
        "Change the template of the image: Packer copies the script anew."),
    Row(r".*/alloc/[0-9a-f-]{36}/[^/]+/(?:local|secrets)/.*", "a template in a Nomad job",
        "Change the template block of the job: Nomad renders the file anew."),
    Row(r".*/[0-9]+-[0-9]+-[^/]*-dispatch-script\.tmp\.[a-z]+", "a job of Rundeck",
        "Change the job's step: Rundeck copies the script anew."),
    Row(r".*/\.\.(?:data|[0-9]{4}_[0-9_.]+)/.*", "a file out of a ConfigMap of Kubernetes",
        "Change the ConfigMap, in what deploys it: the kubelet writes the file."),
)  # fmt: skip

RUNNERS: tuple[Row, ...] = (
    Row(r"ssm-document-worker|ssm-agent-worker|amazon-ssm-agent", *_SSM),
    Row(r"codedeploy-agent|codedeploy-local", *_HOOK),
    Row(r"chef-(?:client|solo|apply|infra.*)|cinc-(?:client|solo)", *_CHEF),
    Row(r"puppet(?:-agent)?|facter", *_PUPPET),
    Row(r"salt-(?:minion|call|ssh)", *_SALT),
    Row(r"AnsiballZ_[^/]*|ansible(?:-.*)?", *_ANSIBLE),
    Row(r"cfn-init", *_CFN),
    Row(r"cfn-hup", "a hook of cfn-hup",
        "Change /etc/cfn/hooks.d in the template's metadata, and update the stack."),
    Row(r"cloud-init", "user data", _OF_USER_DATA, (_USER_DATA, _LAUNCH_TEMPLATE),
        is_user_data=True),
    Row(r"Runner\.(?:Worker|Listener)(?:\.dll)?", *_ACTIONS),
    Row(r"gitlab-runner", *_GITLAB),
    Row(r"buildkite-agent", *_BUILDKITE),
    Row(r"jenkins\.war|(?:remoting|slave|agent|swarm-client)[-.0-9]*\.jar|jenkins-agent",
        *_JENKINS),
    Row(r"(?i:crond?|anacron|fcron|dcron|supercronic)", "a crontab",
        "Change the entry in its crontab.",
        ("grep -rn 169.254.169.254 /etc/cron* /var/spool/cron",)),
    Row(r"atd", "a job of at", "It runs once; change what submits it."),
    Row(r"datadog-agent|agent\.py|dogstatsd", "a Datadog check of yours",
        "Change the check in checks.d; Datadog's agent only runs it."),
    Row(r"nrpe|zabbix_agentd?2?|telegraf|sensu-agent|consul|monit|collectd|munin-node"
        r"|check_mk_agent|newrelic-infra|icinga2|nagios4?|prometheus|keepalived|snmpd|xinetd",
        "a check or plugin of yours", "Change the command in the agent's configuration, or the"
        " script that it names; the agent only starts it."),
    Row(r"td-agent|fluentd|logstash|vector", "an exec input or filter of yours",
        "Change the command in the configuration of the log agent; the agent only starts it."),
    Row(r"nomad", "a task or check of a Nomad job", "Change the job's specification."),
    Row(r"airflow.*", "a task of Airflow", "Change the DAG in its repository."),
    Row(r"terraform|packer|vagrant", "a provisioner or external data source",
        "Change it in the configuration that has it."),
)  # fmt: skip
