"""Reads which pod a uid is from the kubelet's directories of logs.

They stay until the pod is deleted, also where a runtime is not known here.
"""

from __future__ import annotations

from analyzer.recorder.attribute.runtimes.node_files import NodeFiles
from analyzer.recorder.attribute.runtimes.told import (
    CONTAINER_NAME,
    NO_LABELS,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    Labels,
)

_LOGS = "/var/log/pods"


def pod_of(files: NodeFiles, uid: str) -> Labels:
    """Return the pod of this uid by the kubelet's labels, empty if it has no logs.

    The name of the container is there if the pod has only one.
    """
    for name in files.names(_LOGS):
        # Neither a namespace nor a pod's name has an underscore.
        namespace, _, rest = name.partition("_")
        pod, _, found = rest.partition("_")
        if found == uid and namespace and pod:
            containers = files.names(f"{_LOGS}/{name}")
            only = {CONTAINER_NAME: containers[0]} if len(containers) == 1 else {}
            return {POD_NAMESPACE: namespace, POD_NAME: pod, POD_UID: uid, **only}
    return NO_LABELS
