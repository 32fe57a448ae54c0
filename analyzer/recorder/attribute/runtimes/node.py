"""Reads what the node says of itself: its name in the cluster, and the cluster's.

A kubeconfig holds credentials beside these. Only the two names are taken out of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from analyzer.recorder.attribute.runtimes.node_files import NodeFiles

_FILE_MAX = 1 << 18
# EKS (bootstrap.sh, nodeadm, Bottlerocket), kubeadm, RKE2 and k3s, k0s.
_KUBECONFIGS = (
    "/var/lib/kubelet/kubeconfig",
    "/etc/kubernetes/kubelet/kubeconfig",
    "/etc/kubernetes/kubelet.conf",
)
# Who asks for a token says for which cluster: aws-iam-authenticator token -i NAME, and
# aws eks get-token --cluster-name NAME.
_OF_EKS = re.compile(
    r'(?m)^\s*-\s*"?(?:-i|--cluster-name|--cluster-id)"?\s*\n\s*-\s*"?([\w-]+)"?\s*$'
)
# kubeadm's context, system:node:NODE@CLUSTER. Its cluster is "kubernetes" unless it was named.
_OF_KUBEADM = re.compile(r"(?m)^\s*(?:current-context:|name:)\s*\"?system:node:([\w.-]+)@([\w.-]+)")
_UNNAMED = "kubernetes"
_ECS_CONFIG = "/etc/ecs/ecs.config"
_OF_ECS = re.compile(r"(?m)^\s*ECS_CLUSTER\s*=\s*\"?([\w-]+)\"?\s*$")


class Node(NamedTuple):
    """The node; "" for what it does not tell. ``ecs`` is the cluster of ECS."""

    name: str = ""
    cluster: str = ""
    ecs: str = ""


def node_of(files: NodeFiles) -> Node:
    """Return what the node tells."""
    name = cluster = ""
    for path in _KUBECONFIGS:
        text = _text(files, path)
        named, asked = _OF_KUBEADM.search(text), _OF_EKS.search(text)
        name = name or (named[1] if named else "")
        told = asked[1] if asked else named[2] if named else ""
        cluster = cluster or ("" if told == _UNNAMED else told)
    ecs = _OF_ECS.search(_text(files, _ECS_CONFIG))
    return Node(name, cluster, ecs[1] if ecs else "")


def _text(files: NodeFiles, path: str) -> str:
    return (files.maybe_read(path, _FILE_MAX) or b"").decode("utf-8", "replace")
