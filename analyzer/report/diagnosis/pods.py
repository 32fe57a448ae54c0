"""Tells a pod that fetches the node's credentials the better way: a role of its own.

With the node's credentials a pod may do what the node may, whether it asked with a token or not.
EKS gives pods roles of their own, by EKS Pod Identity or by IAM roles for service accounts (IRSA).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analyzer.imds import AWS
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import quoted
from analyzer.report.diagnosis.ways import GIVES_ROLES, proxies_of
from analyzer.report.result import Cause, Diagnosis

POD_IDENTITY = "https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html"
IRSA = "https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html"
# Once for each cluster.
AGENT = "aws eks create-addon --cluster-name CLUSTER --addon-name eks-pod-identity-agent"
_ASSOCIATE = "aws eks create-pod-identity-association"
_IRSA = "eksctl create iamserviceaccount"
_APPROVED = "--override-existing-serviceaccounts --approve  # IRSA, in place of the line before"

ADVICE = (
    "It fetches the node's credentials from a pod, and so may do what the node may. Better: give"
    " its service account a role, with EKS Pod Identity or with IAM roles for service accounts"
    " (IRSA). An SDK that knows them then asks IMDS for no credentials."
)
# kube2iam and kiam answer with a role that the pod's annotation names.
ADVICE_BESIDE_PROXY = (
    "{} answers what its pod asks of credentials. Better: give its service account a role, with EKS"
    " Pod Identity or with IAM roles for service accounts (IRSA). Both need no proxy and no IMDS."
)
# They need the node's role: the agent is what gives other pods theirs.
_BY_DESIGN = frozenset({"eks-pod-identity-agent"})
# What is asked for whatever it is, or not for itself.
_NOT_OWN = frozenset({Cause.FORGERY, Cause.OTHER_CLOUD})
# RFC 1123: names of namespaces and clusters, and (with dots) of pods and their owners.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_CLUSTER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")  # of CreateCluster in EKS's API
# The owners whose pods `kubectl rollout restart` makes anew.
_RESTARTED = ("Deployment", "StatefulSet", "DaemonSet")


def fetches_node_credentials(group: Group) -> bool:
    """Tell whether pods of a group were given credentials by IMDS, with or without a token."""
    program = group.key.program.rpartition("/")[2]
    if group.key.place != "kubernetes" or group.key.provider != AWS or program in _BY_DESIGN:
        return False
    return any(
        each.operation == "credentials" and each.outcome == "success" for each in group.tallies
    )


def with_role(group: Group, diagnosis: Diagnosis) -> Diagnosis:
    """Return a diagnosis with the better way, for a pod that fetches the node's credentials."""
    # kube2iam and kiam fetch them to give pods roles.
    is_proxy_of_pods = diagnosis.cause is Cause.PROXY and diagnosis.client is not None
    if not fetches_node_credentials(group) or diagnosis.cause in _NOT_OWN or is_proxy_of_pods:
        return diagnosis
    return replace(
        diagnosis,
        advice=(*diagnosis.advice, _advice(group)),
        commands=(*diagnosis.commands, *role_commands(group)),
        sources=(*diagnosis.sources, POD_IDENTITY, IRSA),
    )


def _advice(group: Group) -> str:
    giver = next((each for each in proxies_of(group) if each in GIVES_ROLES), None)
    return ADVICE if giver is None else ADVICE_BESIDE_PROXY.format(giver)


def role_commands(group: Group) -> tuple[str, ...]:
    """Return what gives the example's pod a role. Words in capitals are the reader's to replace."""
    orchestrator = _mapping(group.example.get("orchestrator"))
    resource = _mapping(orchestrator.get("resource"))
    owner = _mapping(resource.get("parent"))
    cluster = _fitting(_CLUSTER, _mapping(orchestrator.get("cluster")).get("name"), "CLUSTER")
    namespace = _fitting(_LABEL, orchestrator.get("namespace"), "NAMESPACE")
    pod = _fitting(_NAME, resource.get("name"), "POD")
    account = f"--namespace {namespace} --service-account SERVICE_ACCOUNT"
    irsa = f"--namespace {namespace} --name SERVICE_ACCOUNT --attach-policy-arn POLICY_ARN"
    commands = [
        f"kubectl --namespace {namespace} get pod {pod} -o 'jsonpath={{.spec.serviceAccountName}}'",
        f"{_ASSOCIATE} --cluster-name {cluster} {account} --role-arn ROLE_ARN",
        f"{_IRSA} --cluster {cluster} {irsa} {_APPROVED}",
    ]
    kind = owner.get("type")
    if kind in _RESTARTED:
        name = _fitting(_NAME, owner.get("name"), "NAME")
        commands.append(
            f"kubectl --namespace {namespace} rollout restart {str(kind).lower()}/{name}"
        )
    return tuple(commands)


def _fitting(pattern: re.Pattern[str], value: object, placeholder: str) -> str:
    """Return a name for a command, the placeholder if the log has none or a forged one."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        return placeholder
    return quoted(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
