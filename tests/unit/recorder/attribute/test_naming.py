"""Names of containers, from the files that their runtimes leave on a node."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Optional

import pytest

from analyzer.recorder.attribute.naming import (
    NAMES_KEEP_S,
    NAMES_MAX,
    NEWS_S,
    TEXT_BYTES,
    UNNAMED_KEEP_S,
    Named,
    Naming,
    NodeSettings,
)
from analyzer.recorder.callers import Container, Workload
from tests.unit.recorder.attribute.runtimes.node_directory import (
    APP,
    IMAGE,
    POD,
    SANDBOX,
    UID,
    unpack,
    write,
    write_containerd_task,
    write_crio,
    write_docker,
    write_passwd,
)

IN_POD = Workload("kubernetes", "pod", UID)
PODMAN_WEB = "ac22034bdb4259a9703abd156ae3b5dac7390cfd9ae2552a51c6f7f1fcc2abe0"
PODMAN_IN_POD = "501c64ef00d4304368f8b21f24fd8f2f3c0ec73a42fa4986b035ccaf67d81464"
PODMAN_POD = "a967c93d35a3d2e02083bb3f5d0e1b88f01161cbe33054fc7668bd3acbf703ca"
DEPLOYED = IN_POD._replace(namespace="payments", name=POD, owner_kind="Deployment", owner="api")


def container_of(runtime: Optional[str], name: str = "app", identity: str = APP) -> Container:
    """Return a container with the names that the files here give it."""
    return Container(identity, runtime, name, "registry.example/payments/api", "1.4")


def named(
    files: Path,
    container: Container,
    workload: Optional[Workload] = None,
    cgroup: str = "",
    **settings: object,
) -> Named:
    """Return what a new Naming says."""
    naming = Naming(NodeSettings(root=str(files), **settings))  # type: ignore[arg-type]
    return naming.named(container, workload, cgroup, 0.0)


# --- runtimes --------------------------------------------------------------------------


def test_containerd_names_a_pods_container_by_its_annotations(tmp_path: Path) -> None:
    write_containerd_task(tmp_path)
    assert named(tmp_path, Container(APP, "containerd"), IN_POD) == (
        container_of("containerd"),
        DEPLOYED,
    )
    # By cgroupfs the path does not tell the runtime: it is found.
    assert named(tmp_path, Container(APP, None), IN_POD)[0] == container_of("containerd")


def test_containerds_database_has_the_pods_labels(tmp_path: Path) -> None:
    write_containerd_task(tmp_path)
    unpack(
        "containerd-1.6.meta.db",
        tmp_path / "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db",
    )
    _, workload = named(tmp_path, Container(APP, "containerd"), IN_POD, labels=("team", "none"))
    assert workload == DEPLOYED._replace(labels=("team:payments",))


def test_containerds_database_names_what_has_no_annotations(tmp_path: Path) -> None:
    unpack(
        "containerd-1.6.meta.db",
        tmp_path / "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db",
    )
    assert named(tmp_path, Container(APP, None)) == (container_of("containerd"), DEPLOYED)
    # Made by ctr in its own namespace, where a container has the name that it was given.
    container, _ = named(tmp_path, Container("demo", "containerd"))
    assert container is not None
    assert (container.image, container.tag) == ("registry.example/payments/api", "1.4")


def test_nerdctls_containers_have_names(tmp_path: Path) -> None:
    write_containerd_task(tmp_path, namespace="default", **{"nerdctl/name": "web"})
    container, workload = named(tmp_path, Container(APP, "containerd"))
    assert container == Container(APP, "containerd", "web")
    assert workload is None


def test_crio_names_a_pods_container_and_its_labels(tmp_path: Path) -> None:
    write_crio(
        tmp_path,
        APP,
        ContainerName="app",
        ImageName=IMAGE,
        Image="ab" * 32,
        SandboxID=SANDBOX,
        Labels=json.dumps(
            {
                "io.kubernetes.container.name": "app",
                "io.kubernetes.pod.name": POD,
                "io.kubernetes.pod.namespace": "payments",
                "io.kubernetes.pod.uid": UID,
            }
        ),
    )
    write_crio(
        tmp_path,
        SANDBOX,
        Labels=json.dumps({"team": "payments", "pod-template-hash": "7d4b9c6f5d"}),
    )
    assert named(tmp_path, Container(APP, "cri-o"), IN_POD, labels=("team",)) == (
        container_of("cri-o"),
        DEPLOYED._replace(labels=("team:payments",)),
    )


def test_docker_names_containers_by_name_image_and_labels(tmp_path: Path) -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "front"}
    write_docker(tmp_path, APP, "shop-front-1", labels)
    assert named(tmp_path, Container(APP, "docker")) == (
        container_of("docker", "shop-front-1"),
        Workload("compose", "service", "", "shop", "front"),
    )


def test_docker_may_keep_its_files_elsewhere(tmp_path: Path) -> None:
    write_docker(tmp_path, APP, "web", {})
    (tmp_path / "srv").mkdir()
    shutil.move(tmp_path / "var/lib/docker", tmp_path / "srv/docker")
    write(tmp_path / "etc/docker/daemon.json", {"data-root": "/srv/docker/"})
    assert named(tmp_path, Container(APP, "docker"))[0] == container_of("docker", "web")


def test_docker_below_a_kubelet_has_the_kubelets_labels(tmp_path: Path) -> None:
    labels = {
        "io.kubernetes.container.name": "app",
        "io.kubernetes.pod.name": POD,
        "io.kubernetes.pod.namespace": "payments",
        "io.kubernetes.pod.uid": UID,
        "io.kubernetes.sandbox.id": SANDBOX,
    }
    write_docker(tmp_path, APP, f"k8s_app_{POD}_payments_{UID}_0", labels)
    write_docker(tmp_path, SANDBOX, "k8s_POD", {"team": "payments", "job-name": "nightly-28391040"})
    assert named(tmp_path, Container(APP, None), IN_POD, labels=("team",)) == (
        container_of("docker"),
        IN_POD._replace(
            namespace="payments", name=POD, owner_kind="CronJob", owner="nightly",
            labels=("team:payments",),
        ),
    )  # fmt: skip


def test_ecs_tasks_have_family_cluster_and_the_specifications_container(tmp_path: Path) -> None:
    task = "5a1b9c2d" * 4
    labels = {
        "com.amazonaws.ecs.cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod",
        "com.amazonaws.ecs.container-name": "app",
        "com.amazonaws.ecs.task-arn": f"arn:aws:ecs:eu-west-1:123456789012:task/prod/{task}",
        "com.amazonaws.ecs.task-definition-family": "payments",
        "com.amazonaws.ecs.task-definition-version": "7",
    }
    write_docker(tmp_path, APP, "ecs-payments-7-app-d0c3a1b2c3d4e5f60100", labels)
    of_cgroup = Workload("ecs", "task", task)
    assert named(tmp_path, Container(APP, None), of_cgroup) == (
        container_of("docker"),
        of_cgroup._replace(owner_kind="TaskDefinition", owner="payments", cluster="prod"),
    )


def test_nomads_allocations_have_their_task(tmp_path: Path) -> None:
    write_docker(tmp_path, APP, f"app-{UID}", {"com.hashicorp.nomad.alloc_id": UID})
    assert named(tmp_path, Container(APP, "docker")) == (
        container_of("docker"),
        Workload("nomad", "allocation", UID),
    )
    more = {
        "com.hashicorp.nomad.alloc_id": UID,
        "com.hashicorp.nomad.job_name": "payments",
        "com.hashicorp.nomad.task_name": "api",
        "com.hashicorp.nomad.namespace": "default",
    }
    write_docker(tmp_path, APP, f"app-{UID}", more)
    assert named(tmp_path, Container(APP, "docker")) == (
        container_of("docker", "api"),
        Workload("nomad", "allocation", UID, "default", "", "Job", "payments"),
    )


def test_podmans_database_has_names_labels_and_pods(tmp_path: Path) -> None:
    store = tmp_path / "var/lib/containers/storage"
    unpack("podman-4.3.bolt_state.db", store / "libpod/bolt_state.db")
    assert named(tmp_path, Container(PODMAN_WEB, "podman")) == (
        container_of("podman", "web", PODMAN_WEB),
        Workload("compose", "service", "", "shop", "front"),
    )
    assert named(tmp_path, Container(PODMAN_IN_POD, "podman"), labels=("team",)) == (
        container_of("podman", "shopfront", PODMAN_IN_POD),
        Workload("podman", "pod", PODMAN_POD, name="shop", labels=("team:payments",)),
    )


def test_podmans_storage_has_names_if_its_database_has_not(tmp_path: Path) -> None:
    kept = {"image-name": IMAGE, "image-id": "ab" * 32, "name": "web", "created-at": 1}
    listed = [{"id": "other"}, {"id": APP, "names": ["web"], "metadata": json.dumps(kept)}]
    lists = tmp_path / "var/lib/containers/storage/overlay-containers"
    write(lists / "containers.json", listed)
    assert named(tmp_path, Container(APP, "podman"))[0] == container_of("podman", "web")


def test_podmans_sqlite_database_has_the_same(tmp_path: Path) -> None:
    """By the tables of libpod/sqlite_state_internal.go; a configuration runs over several pages."""
    path = tmp_path / "var/lib/containers/storage/db.sql"
    path.parent.mkdir(parents=True)
    config = {
        "spec": {"seccomp": ["call"] * 4000},
        "id": APP,
        "name": "web",
        "pod": SANDBOX,
        "rootfsImageName": IMAGE,
        "labels": {"a": "b"},
    }
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE ContainerConfig(ID TEXT NOT NULL PRIMARY KEY, Name TEXT UNIQUE NOT NULL,"
        " PodID TEXT, JSON TEXT NOT NULL);"
        "CREATE TABLE PodConfig(ID TEXT NOT NULL PRIMARY KEY, Name TEXT NOT NULL, JSON TEXT);"
    )
    rows = [("other", "other", None, "{}"), (APP, "web", SANDBOX, json.dumps(config))]
    database.executemany("INSERT INTO ContainerConfig VALUES (?, ?, ?, ?)", rows)
    pod = {"name": "shop", "labels": {"team": "payments"}}
    database.execute("INSERT INTO PodConfig VALUES (?, 'shop', ?)", (SANDBOX, json.dumps(pod)))
    database.commit()
    database.close()
    assert named(tmp_path, Container(APP, "podman"), labels=("team",)) == (
        container_of("podman", "web"),
        Workload("podman", "pod", SANDBOX, name="shop", labels=("team:payments",)),
    )


def test_a_users_own_podman_keeps_its_files_at_home(tmp_path: Path) -> None:
    write_passwd(tmp_path, 1001, "/home/app")
    store = tmp_path / "home/app/.local/share/containers/storage"
    unpack("podman-4.3.bolt_state.db", store / "libpod/bolt_state.db")
    container = Container(PODMAN_WEB, "podman")
    cgroup = (
        "0::/user.slice/user-1001.slice/user@1001.service/user.slice"
        f"/libpod-{PODMAN_WEB}.scope/container"
    )
    assert named(tmp_path, container, cgroup=cgroup)[0] == container_of("podman", "web", PODMAN_WEB)
    # Of the system's own, a user's container tells nothing.
    assert named(tmp_path, container) == (container, None)


def test_the_kubelets_logs_name_the_pod_of_an_unknown_runtime(tmp_path: Path) -> None:
    logs = tmp_path / f"var/log/pods/payments_{POD}_{UID}"
    (logs / "app").mkdir(parents=True)
    assert named(tmp_path, Container(APP, None), IN_POD) == (Container(APP, None, "app"), DEPLOYED)
    (logs / "sidecar").mkdir()
    assert named(tmp_path, Container(APP, None), IN_POD) == (Container(APP, None), DEPLOYED)


def test_names_that_people_gave_are_names(tmp_path: Path) -> None:
    container, _ = named(tmp_path, Container("web-1", "lxc"))
    assert container == Container("web-1", "lxc", "web-1")


def test_names_read_when_a_container_was_made_outlast_its_files(tmp_path: Path) -> None:
    write_containerd_task(tmp_path)
    naming = Naming(NodeSettings(root=str(tmp_path)))
    naming.prepare(Container(APP, "containerd"), IN_POD, "", 0.0)
    shutil.rmtree(tmp_path)
    assert naming.named(Container(APP, "containerd"), IN_POD, "", 1.0) == (
        container_of("containerd"),
        DEPLOYED,
    )
    assert not naming.has_news(1.0)  # nothing has to be looked at sooner


def test_a_container_without_names_when_it_is_made_is_asked_for_at_its_call(tmp_path: Path) -> None:
    naming = Naming(NodeSettings(root=str(tmp_path)))
    for root in (tmp_path, tmp_path / "missing"):
        naming.set(NodeSettings(root=str(root)))
        naming.prepare(Container(APP, "containerd"), IN_POD, "", 0.0)
    naming.set(NodeSettings(root=str(tmp_path)))
    write_containerd_task(tmp_path)
    container, _ = naming.named(Container(APP, "containerd"), IN_POD, "", 0.1)
    assert container == container_of("containerd")
    assert naming.has_news(0.1)


def test_what_is_no_container_or_has_its_name_is_not_prepared() -> None:
    naming = Naming(NodeSettings(root="/missing"))
    for container in (None, Container("web", "lxc")):
        naming.prepare(container, None, "", 0.0)
        assert naming.named(container, None, "", 0.0).workload is None


def test_an_unknown_container_keeps_what_its_cgroup_tells(tmp_path: Path) -> None:
    assert named(tmp_path, Container(APP, None), IN_POD) == (Container(APP, None), IN_POD)
    assert named(tmp_path / "missing", Container(APP, None), IN_POD) == (
        Container(APP, None),
        IN_POD,
    )


# --- the node --------------------------------------------------------------------------

EKS = """
apiVersion: v1
users:
- name: kubelet
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: /usr/bin/aws-iam-authenticator
      args:
        - "token"
        - "-i"
        - "prod-1"
        - "--region"
        - "eu-west-1"
"""
KUBEADM = """
contexts:
- context:
    cluster: kubernetes
    user: system:node:node-7
  name: system:node:node-7@kubernetes
current-context: system:node:node-7@kubernetes
users:
- name: system:node:node-7
  user:
    token: do-not-tell
"""


@pytest.mark.parametrize(
    ("path", "text", "cluster", "node"),
    [
        ("var/lib/kubelet/kubeconfig", EKS, "prod-1", ""),
        ("etc/kubernetes/kubelet.conf", KUBEADM, "", "node-7"),
        ("etc/kubernetes/kubelet.conf", KUBEADM.replace("@kubernetes", "@blue"), "blue", "node-7"),
        ("etc/kubernetes/kubelet.conf", "\0" * 9, "", ""),
    ],
)
def test_a_pod_is_on_the_nodes_cluster(
    tmp_path: Path, path: str, text: str, cluster: str, node: str
) -> None:
    write_containerd_task(tmp_path)
    write(tmp_path / path, text.encode())
    workload = named(tmp_path, Container(APP, "containerd"), IN_POD)[1]
    assert workload == DEPLOYED._replace(cluster=cluster, node=node)


def test_the_configuration_names_node_and_cluster(tmp_path: Path) -> None:
    write_containerd_task(tmp_path)
    write(tmp_path / "var/lib/kubelet/kubeconfig", EKS.encode())
    workload = named(tmp_path, Container(APP, None), IN_POD, cluster="green", node="n1")[1]
    assert workload == DEPLOYED._replace(cluster="green", node="n1")


@pytest.mark.parametrize(
    ("state", "data"),
    [
        ("run/containerd", "var/lib/containerd"),
        ("run/k3s/containerd", "var/lib/rancher/k3s/agent/containerd"),
        ("run/k3s/containerd", "var/lib/rancher/rke2/agent/containerd"),
        ("run/k0s/containerd", "var/lib/k0s/containerd"),
        (
            "var/snap/microk8s/common/run/containerd",
            "var/snap/microk8s/common/var/lib/containerd",
        ),
    ],
    ids=["containerd", "k3s", "rke2", "k0s", "microk8s"],
)
def test_each_distribution_has_its_own_directories(tmp_path: Path, state: str, data: str) -> None:
    """Tasks, the database with the pod's labels, and the kubelet's directory of logs."""
    written = write_containerd_task(tmp_path / "first")
    tasks = "io.containerd.runtime.v2.task/k8s.io"
    write(tmp_path / state / tasks / APP / "config.json", written.read_bytes())
    database = tmp_path / data / "io.containerd.metadata.v1.bolt/meta.db"
    unpack("containerd-1.6.meta.db", database)
    container, workload = named(
        tmp_path, Container(APP, "containerd"), IN_POD, node="n1", labels=("team",)
    )
    assert container == container_of("containerd")
    assert workload == DEPLOYED._replace(node="n1", labels=("team:payments",))


def test_a_task_is_on_the_agents_cluster(tmp_path: Path) -> None:
    write(tmp_path / "etc/ecs/ecs.config", b"ECS_ENGINE_AUTH_DATA=secret\nECS_CLUSTER=prod\n")
    task = Workload("ecs", "task", "5a1b9c2d" * 4)
    assert named(tmp_path, Container(APP, None), task)[1] == task._replace(cluster="prod")


# --- once, and kept --------------------------------------------------------------------


def test_names_outlive_the_files_of_a_container(tmp_path: Path) -> None:
    naming = Naming(NodeSettings(root=str(tmp_path)))
    path = write_containerd_task(tmp_path)
    container = Container(APP, "containerd")
    first = naming.named(container, IN_POD, "", 0.0)
    path.unlink()
    assert naming.named(container, IN_POD, "", NAMES_KEEP_S - 1) is first
    assert naming.named(container, IN_POD, "", NAMES_KEEP_S)[0] == container


def test_a_container_without_names_is_asked_for_again(tmp_path: Path) -> None:
    naming = Naming(NodeSettings(root=str(tmp_path)))
    container = Container(APP, "docker")
    assert naming.named(container, None, "", 0.0)[0] == container
    write_docker(tmp_path, APP, "web", {})
    assert naming.named(container, None, "", UNNAMED_KEEP_S - 1)[0] == container
    assert naming.named(container, None, "", UNNAMED_KEEP_S)[0] == container_of("docker", "web")


def test_names_are_kept_for_a_bounded_number_of_containers(tmp_path: Path) -> None:
    naming = Naming(NodeSettings(root=str(tmp_path)), runtimes=())
    first = naming.named(Container(f"{0:064x}", None), None, "", 0.0)
    for number in range(1, NAMES_MAX + 1):
        naming.named(Container(f"{number:064x}", None), None, "", 0.0)
    assert naming.named(Container(f"{0:064x}", None), None, "", 0.0) is not first


def test_new_settings_name_anew(tmp_path: Path) -> None:
    write_crio(tmp_path, APP, SandboxID=SANDBOX, Labels=json.dumps({"io.kubernetes.pod.name": "a"}))
    write_crio(tmp_path, SANDBOX, Labels=json.dumps({"team": "payments"}))
    naming = Naming(NodeSettings(root=str(tmp_path)))
    container = Container(APP, "cri-o")
    _, before = naming.named(container, IN_POD, "", 0.0)
    assert not naming.set(NodeSettings(root=str(tmp_path)))
    assert naming.set(NodeSettings(labels=("team",), root=str(tmp_path)))
    _, after = naming.named(container, IN_POD, "", 0.0)
    assert before is not None
    assert after == before._replace(labels=("team:payments",))


# --- what people wrote -----------------------------------------------------------------


def test_names_are_bounded_visible_and_without_secrets(tmp_path: Path) -> None:
    write_docker(tmp_path, APP, "a\x1b[2J" + "\u202e" + "x" * 999, {}, "app\n:password=hunter2")
    container, _ = named(tmp_path, Container(APP, "docker"))
    assert container is not None
    assert container.name.startswith(r"a\x1b[2J\u202exx")
    assert len(container.name.encode()) <= TEXT_BYTES
    assert container.image == r"app\n"
    assert "hunter2" not in str(container)


def test_what_an_image_is_called_is_no_name_if_it_is_a_digest(tmp_path: Path) -> None:
    write_docker(tmp_path, APP, "web", {}, f"sha256:{'ab' * 32}")
    assert named(tmp_path, Container(APP, "docker"))[0] == Container(APP, "docker", "web")


def test_no_link_leads_out_of_the_node(tmp_path: Path) -> None:
    write_docker(tmp_path / "other", APP, "stolen", {})
    node = tmp_path / "node"
    (node / "var/lib").mkdir(parents=True)
    (node / "var/lib/docker").symlink_to("../../../../../other/var/lib/docker")
    assert named(node, Container(APP, "docker"))[0] == Container(APP, "docker")


def test_a_new_container_is_news_for_a_while(tmp_path: Path) -> None:
    write_docker(tmp_path, APP, "web", {})
    naming = Naming(NodeSettings(root=str(tmp_path)))
    assert not naming.has_news(0.0)
    naming.named(Container(APP, "docker"), None, "", 0.0)
    assert naming.has_news(NEWS_S - 1)
    assert not naming.has_news(NEWS_S)
    # One that is known is none, whether it has names or is asked for again.
    naming.named(Container(APP, "docker"), None, "", NAMES_KEEP_S + 1)
    assert not naming.has_news(NAMES_KEEP_S + 1)
    naming.named(Container(SANDBOX, "docker"), None, "", 2 * NAMES_KEEP_S)
    assert naming.has_news(2 * NAMES_KEEP_S)
