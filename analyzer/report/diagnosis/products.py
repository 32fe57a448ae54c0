"""Names programs of somebody else's that clients.toml does not have.

Whoever runs one cannot change its code: it is upgraded as the program that it is, and not by the
SDK in it. No version is named here, as nothing public settles which is the first without v1.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Optional

from analyzer.clients.entry import Client
from analyzer.logline.launchers import WRAPPERS
from analyzer.report.diagnosis.scene import Link, Scene

_PROGRAM = "program"
_PACKAGE = "Upgrade the package that it comes in."
_IMAGE = "Upgrade the release of it that the cluster runs."
_APPLICATION = (
    "It is an application in Ruby or Python: upgrade the AWS SDK or the agent in it that asks, in"
    " its Gemfile.lock or requirements."
)
_COLLECTION = (
    "Upgrade the collection amazon.aws (or Ansible as a whole) on the machine that runs the"
    " playbook; the file on the host is a copy that it makes anew."
)
_CFN = "Upgrade the package aws-cfn-bootstrap, in the image or in user data."

# Name or path of the program, script or main class, title of the server, or name of the unit ->
# product, and what to do. Names of scripts that people write must not fit.
PRODUCTS: tuple[tuple[str, str, str], ...] = (
    (r"codedeploy-agent", "AWS CodeDeploy agent", _PACKAGE),
    (r"/var/awslogs/.*|awslogsd?", "CloudWatch Logs agent (awslogs)",
     "It gets no new versions: put the CloudWatch agent in its place."),
    (r"/opt/elasticbeanstalk/.*", "AWS Elastic Beanstalk platform",
     "Upgrade the environment to a newer platform version."),
    (r"cfn-(?:hup|init|signal|get-metadata)", "AWS CloudFormation helper scripts", _CFN),
    (r"aws", "AWS CLI", "Upgrade the AWS CLI; version 2 always speaks v2."),
    (r"s3cmd", "s3cmd", _PACKAGE),
    (r"AnsiballZ_.*|ansible(?:-playbook|-pull)?", "Ansible",
     ("Upgrade the collection amazon.aws (or Ansible as a whole) on the machine that runs the"
     " playbook; the file on the host is a copy that it makes anew.")),
    (r"td-agent|fluentd", "Fluentd",
     "Upgrade it and its plugins: one of them asks (`fluent-gem list`)."),
    (r"salt-(?:minion|call|master)", "Salt", _PACKAGE),
    (r"cloud-init", "cloud-init", _PACKAGE),
    (r"puma|unicorn|sidekiq|resque[-0-9.]*|Passenger|delayed_job|good_job", "{name} (application)",
     _APPLICATION),
    (r"gunicorn|celeryd?|uwsgi|airflow|daphne|hypercorn|uvicorn", "{name} (application)",
     _APPLICATION),
    (r"kubelet|kube-(?:proxy|controller-manager|apiserver|scheduler)|hyperkube|k3s|rke2|k0s",
     "Kubernetes ({name})", "Upgrade Kubernetes: on EKS, the node group to a newer AMI."),
    ((r"aws-cloud-controller-manager|cloud-controller-manager|ecr-credential-provider"
     r"|cluster-autoscaler|karpenter|external-dns|external-secrets|cert-manager|velero|argocd"
     r"|aws-load-balancer-controller|aws-ebs-csi-driver|aws-efs-csi-driver|cilium-(?:agent|operator)"
     r"|source-controller|kustomize-controller|nodeup|protokube|kops|thanos|cortex|mimir|loki"
     r"|promtail"),
     "{name}", _IMAGE),
    (r"terraform-provider-(?P<provider>[^_.]+)(?:_.*)?", "Terraform's provider {provider}",
     "Raise its version in required_providers, and run `terraform init -upgrade`."),
    (r"terraform|tofu|terragrunt|packer|vault|consul|nomad|boundary", "{name}", _PACKAGE),
    ((r"grafana(?:-server|-agent)?|alloy|prometheus|alertmanager|telegraf|influxd|vector"
     r"|otelcol(?:-contrib)?|aws-otel-collector|filebeat|metricbeat|auditbeat|packetbeat|heartbeat"
     r"|elastic-agent|elastic-endpoint|logstash|splunkd|collectd|netdata|zabbix_agent[d2]?|osqueryd"
     r"|sensu-agent|cloudwatch_exporter|yace|dynatrace|oneagentos|nessusd|wazuh-agentd|falco"
     r"|teleport|tbot|jaeger-(?:agent|collector)"),
     "{name}", _PACKAGE),
    (r"amazon-ecs-agent|amazon-ecs-init|amazon-ecs-volume-plugin", "Amazon ECS agent",
     "Upgrade ecs-init and the agent: a newer ECS-optimised AMI has both."),
    ((r"dockerd|docker-credential-ecr-login|buildkitd|mount-s3|goofys|s3fs|rclone|restic|s5cmd|minio"
     r"|wal-g|pgbackrest|duplicity|borg|gitlab-runner|buildkite-agent|Runner\.(?:Worker|Listener)"
     r"|atlantis|gitea|jenkins\.war|traefik|snapd|clickhouse-server"),
     "{name}", _PACKAGE),
    (r"subscription-manager|rhsmcertd|insights-client|ubuntu-advantage|landscape-client", "{name}",
     _PACKAGE),
    (r"org\.apache\.(?P<apache>hadoop|spark|kafka|flink|hive|hbase|zookeeper|druid|nifi|solr)\..*",
     "Apache {apache}",
     "Upgrade it, or the hadoop-aws and AWS SDK jars on its class path."),
    (r"org\.(?P<search>elasticsearch|opensearch)\..*", "{search}",
     "Upgrade it and its plugins (repository-s3, discovery-ec2)."),
)  # fmt: skip


# What shows the version that is installed; the package does for all others.
_VERSION_COMMANDS: Mapping[str, str] = {"AWS CLI": "aws --version", "s3cmd": "s3cmd --version"}


def maybe_product(scene: Scene) -> Optional[Client]:
    """Return the product that a scene's own process is, None for an unknown one."""
    own = scene.own
    if own is None or WRAPPERS.fullmatch(own.program.name):
        return None
    for name in _names(own, scene):
        found = _named(name)
        if found is not None:
            return found
    return None


def has_sdk(product: Client) -> bool:
    """Tell whether a product has its SDK in it; others use the one that is installed beside."""
    return product.advice not in (_APPLICATION, _COLLECTION)


def unit_name(scene: Scene) -> str:
    """Return the unit's name, "" where its own process says what it is.

    Scripts and tools of others run in an agent's unit, too: only an interpreter that says nothing
    else is taken for the agent.
    """
    own = scene.own
    if own is None or not own.is_bare or own.is_inline or scene.login is not None:
        return ""
    is_first = not any(True for _ in scene.actors)
    stem, dot, kind = scene.unit.rpartition(".")
    return stem.partition("@")[0] if is_first and dot and kind == "service" else ""


def _names(own: Link, scene: Scene) -> tuple[str, ...]:
    names = (own.script, own.program.name, unit_name(scene))
    return tuple(each for each in names if each)


@functools.lru_cache(maxsize=256)
def _named(name: str) -> Optional[Client]:
    for pattern, product, advice in PRODUCTS:
        match = re.fullmatch(pattern, name[:128])
        if match is not None and name.isprintable():
            parts = {key: part or "" for key, part in match.groupdict().items()}
            shown = product.format(name=name, **parts)
            command = _VERSION_COMMANDS.get(shown)
            return Client(shown, _PROGRAM, advice=advice, version_command=command)
    return None
