"""Names containers and their workloads, once for each container, when it is first seen.

What its runtime left on the node is read at that moment, because a container may be gone a moment
later. No environment of a process is read, and of what a user may write, nothing is believed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional

from analyzer.logline.caller import bounded
from analyzer.lru import Cache
from analyzer.masking import Look, mask_text
from analyzer.recorder.attribute.identity import NAMED_BY_PEOPLE
from analyzer.recorder.attribute.runtimes import kubelet
from analyzer.recorder.attribute.runtimes.containerd import Containerd, is_task
from analyzer.recorder.attribute.runtimes.crio import Crio
from analyzer.recorder.attribute.runtimes.docker import Docker
from analyzer.recorder.attribute.runtimes.images import reference
from analyzer.recorder.attribute.runtimes.labels import maybe_place
from analyzer.recorder.attribute.runtimes.monitors import Monitor
from analyzer.recorder.attribute.runtimes.node import Node, node_of
from analyzer.recorder.attribute.runtimes.node_files import NodeFiles
from analyzer.recorder.attribute.runtimes.podman import Podman
from analyzer.recorder.attribute.runtimes.told import (
    CONTAINER_NAME,
    NO_LABELS,
    POD_NAME,
    Asked,
    Labels,
    Runtime,
    Told,
)
from analyzer.recorder.callers import Container, Workload

# Containers of one node, with room for those that are gone. About 1 KB each; a name has 256 bytes
# at most.
NAMES_MAX = 2048
NAMES_KEEP_S = 3600.0  # docker rename; else it only drops what is not used
# A runtime may write its files late. The time also bounds what a container costs that has none.
UNNAMED_KEEP_S = 5.0
NODE_KEEP_S = 300.0
# How long after a new container the next one is reckoned with: jobs come in numbers.
NEWS_S = 30.0
# Bytes of a name. Kubernetes' have 253 at most, Docker's images 255.
TEXT_BYTES = 256
LABELS_MAX = 8

RUNTIMES: tuple[Runtime, ...] = (Containerd(), Crio(), Docker(), Podman())
_USER = re.compile(r"/user@(\d+)\.service/")
# Where containerd's clients have no cgroup of their choice: /NAMESPACE/ID. ctr takes any id.
_FREE = re.compile(r"(?m):/(?P<namespace>[A-Za-z0-9][\w.-]{0,75})/(?P<id>[A-Za-z0-9][\w.-]{0,75})$")
_OF_SYSTEMD = (".slice", ".service", ".scope")

# Returns the process that watches a container, for its id and its user's.
FindMonitor = Callable[[str, Optional[int]], Optional[Monitor]]


def _no_monitor(_container: str, _uid: Optional[int]) -> Optional[Monitor]:
    return None


class NodeSettings(NamedTuple):
    """The configuration's section ``[kubernetes]``, by the same names."""

    labels: tuple[str, ...] = ()
    root: str = ""
    node: str = ""
    cluster: str = ""


class Named(NamedTuple):
    """A container and its workload with their names."""

    container: Optional[Container]
    workload: Optional[Workload]


class Naming:
    """Names containers. Raises nothing."""

    def __init__(
        self,
        settings: NodeSettings,
        runtimes: Sequence[Runtime] = RUNTIMES,
    ) -> None:
        """Know of none yet."""
        self._settings = settings
        self._runtimes = runtimes
        self._known: Cache[tuple[object, ...], Named] = Cache(NAMES_MAX, NAMES_KEEP_S)
        self._nodes: Cache[None, Node] = Cache(1, NODE_KEEP_S)
        self._free: Cache[str, bool] = Cache(NAMES_MAX, NAMES_KEEP_S)
        self._newest_at = float("-inf")

    def set(self, settings: NodeSettings) -> bool:
        """Change the settings; returns whether what was named before is to be named anew."""
        if settings == self._settings:
            return False
        self._settings = settings
        self._known.clear()
        self._nodes.clear()
        self._free.clear()
        return True

    def has_news(self, now: float) -> bool:
        """Tell whether a container was named lately that had not been seen before."""
        return now < self._newest_at + NEWS_S

    def named(
        self,
        container: Optional[Container],
        workload: Optional[Workload],
        cgroup_text: str,
        now: float,
        find_monitor: FindMonitor = _no_monitor,
    ) -> Named:
        """Return the same with names; ``now`` in seconds, monotonic.

        ``find_monitor`` is asked if no directory is known that has the container.
        """
        if container is not None and container.runtime in NAMED_BY_PEOPLE:
            return Named(container._replace(name=container.id), workload)
        if container is None:
            container = self._maybe_free(cgroup_text, now)
        if container is None:
            return Named(None, workload)
        key = _key(container, workload, cgroup_text)
        known = self._known.get(key, now)
        if known is None:
            known = self._look_up(container, workload, key[2], now, find_monitor)
            if self._known.maybe_old(key) is None:
                self._newest_at = now
            is_named = known.container != container or known.workload != workload
            keep_s = NAMES_KEEP_S if is_named else UNNAMED_KEEP_S
            self._known.put(key, known, now, keep_s=keep_s)
        return known

    def prepare(
        self,
        container: Optional[Container],
        workload: Optional[Workload],
        cgroup_text: str,
        now: float,
    ) -> None:
        """Read the names of a container that has just been made, and has not called yet.

        One without names stays unknown: at its call, its monitor may tell them.
        """
        if container is None or container.runtime in NAMED_BY_PEOPLE:
            return
        key = _key(container, workload, cgroup_text)
        if self._known.get(key, now) is not None:
            return
        found = self._look_up(container, workload, key[2], now, _no_monitor)
        if found.container is not None and (found.container.name or found.container.image):
            self._known.put(key, found, now)

    def _maybe_free(self, cgroup_text: str, now: float) -> Optional[Container]:
        """Return the container of containerd's whose id somebody chose, if its task is there."""
        match = _FREE.search(cgroup_text)
        if match is None or match["namespace"].endswith(_OF_SYSTEMD):
            return None
        known = self._free.get(match[0], now)
        if known is None:
            try:
                with NodeFiles(self._settings.root) as files:
                    known = is_task(files, match["namespace"], match["id"])
            except OSError:  # the root is unavailable
                known = False
            # What is no task now may be one that starts.
            self._free.put(match[0], known, now, keep_s=NAMES_KEEP_S if known else UNNAMED_KEEP_S)
        if not known:
            return None
        name = mask_text(match["id"], look=Look.DIGESTS)
        return Container(name, Containerd.name, name)

    def _look_up(
        self,
        container: Container,
        workload: Optional[Workload],
        uid: Optional[int],
        now: float,
        find_monitor: FindMonitor,
    ) -> Named:
        """Return a container and its workload with the names on the node, as far as there are."""
        root = self._settings.root
        try:
            with NodeFiles(root) if uid is None else NodeFiles.of_homes(root) as files:
                runtime, told = self._ask(files, container, uid)
                pod_labels = NO_LABELS if runtime is None else runtime.pod_labels(files, told)
                if runtime is None or not (told.name or told.image):
                    found = self._ask_monitor(find_monitor(container.id, uid), container, uid)
                    told, pod_labels = found or (told, pod_labels)
                told = self._completed(files, told, workload)
                place = maybe_place(told, pod_labels)
                node = self._node(files, now)
        except OSError:  # the root is unavailable
            return Named(container, workload)
        image = reference(told.image)
        name = told.name if place is None else place.container
        container = container._replace(
            runtime=container.runtime or told.runtime or None,
            name=_text(name) or container.name,
            image=_text(image.name),
            tag=_text(image.tag),
        )
        if place is not None:
            workload = self._merged(workload, place.workload, pod_labels, node)
        elif workload is not None:
            workload = self._on_node(workload, node)
        return Named(container, workload)

    def _ask_monitor(
        self, monitor: Optional[Monitor], container: Container, uid: Optional[int]
    ) -> Optional[tuple[Told, Labels]]:
        """Return what the directory that a container's monitor shows tells, and its pod's labels.

        It is read as that process sees it. Raises OSError.
        """
        if monitor is None:
            return None
        with NodeFiles.of_process(monitor.pid) as files:
            runtime, told = self._ask(files, container, uid, monitor.bundle)
            return None if runtime is None else (told, runtime.pod_labels(files, told))

    def _ask(
        self, files: NodeFiles, container: Container, uid: Optional[int], bundle: str = ""
    ) -> tuple[Optional[Runtime], Told]:
        for runtime in self._runtimes:
            if container.runtime in (None, runtime.name):
                told = runtime.maybe_told(files, Asked(container.id, uid, bundle))
                if told is not None:
                    return runtime, told
        return None, Told(container.runtime or "")

    def _completed(self, files: NodeFiles, told: Told, workload: Optional[Workload]) -> Told:
        """Return what is told with the pod's name, if only its uid is known."""
        is_pod = workload is not None and workload.orchestrator == "kubernetes"
        if workload is None or not is_pod or told.labels.get(POD_NAME):
            return told
        found = kubelet.pod_of(files, workload.id)
        if told.labels.get(CONTAINER_NAME):
            found = {**found, CONTAINER_NAME: told.labels[CONTAINER_NAME]}
        return told._replace(labels={**told.labels, **found})

    def _merged(
        self, known: Optional[Workload], found: Workload, pod_labels: Labels, node: Node
    ) -> Workload:
        """Return the cgroup's workload, as the kernel told it, with the names of the labels."""
        if known is not None and known.orchestrator != found.orchestrator:
            return known
        if known is not None:
            found = found._replace(kind=known.kind, id=known.id)
        return self._on_node(found, node)._replace(
            namespace=_text(found.namespace),
            name=_text(found.name),
            owner=_text(found.owner),
            labels=self._chosen(pod_labels),
        )

    def _on_node(self, workload: Workload, node: Node) -> Workload:
        if workload.orchestrator == "kubernetes":
            cluster, name = self._settings.cluster or node.cluster, self._settings.node or node.name
            return workload._replace(cluster=_text(cluster), node=_text(name))
        if workload.orchestrator == "ecs":
            return workload._replace(cluster=_text(workload.cluster or node.ecs))
        return workload

    def _chosen(self, labels: Labels) -> tuple[str, ...]:
        wanted = self._settings.labels[:LABELS_MAX]
        return tuple(_text(f"{name}:{labels[name]}") for name in wanted if labels.get(name))

    def _node(self, files: NodeFiles, now: float) -> Node:
        node = self._nodes.get(None, now)
        if node is None:
            node = node_of(files)
            self._nodes.put(None, node, now)
        return node


def _key(
    container: Container, workload: Optional[Workload], cgroup_text: str
) -> tuple[Container, Optional[Workload], Optional[int]]:
    """Return what containers are told apart by; the last is the user whose own one it is."""
    user = _USER.search(cgroup_text)
    return container, workload, int(user[1]) if user else None


def _text(text: str) -> str:
    """Return a name as the log has it: masked, to be seen as it is, bounded."""
    return bounded(mask_text(text, look=Look.DIGESTS), TEXT_BYTES) if text else ""
