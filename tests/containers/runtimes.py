"""Lists the container runtimes: how each runs a caller, and what the line must say."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cgroups import maybe_hierarchy
from tests.containers.callers import IMAGE
from tests.containers.room import Cgroups, Room
from tests.containers.rootless import rootless
from tests.containers.ways import IMAGE_FIELDS, Runtime, Start, Started
from tests.live.watch import SLOWNESS, eventually

DOCKER = ("/usr/bin/docker", "--host", "unix:///run/docker.sock")
CTR = ("ctr", "--address", "/run/imds-containerd/containerd.sock")
DAEMON_DEADLINE_S = 60 + 15 * SLOWNESS

_BY_SYSTEMD = "systemd-machined is asked by way of systemd, which this layout leaves out"
# Why a runtime cannot run here in a layout of cgroups.
_HYBRID = "crun refuses version 1 and 2 side by side"
_DEVICES = "crun raises RLIMIT_MEMLOCK to load its filter of devices, which CAP_SYS_RESOURCE may"


def _hexadecimal() -> str:
    return uuid.uuid4().hex * 2


@contextlib.contextmanager
def _daemon(room: Room, argv: Sequence[str], asks: Sequence[str]) -> Iterator[None]:
    """Run a daemon until it answers, and end it in order. Raises RuntimeError if it does not."""
    if shutil.which(asks[0]) is None:
        raise RuntimeError(f"{asks[0]}, which asks {argv[0]}, is not installed")
    log = room.directory / f"{Path(argv[0]).name}.log"
    process = room.popen(argv, log)
    try:
        eventually(
            f"{argv[0]} answers: {log}",
            lambda: process.poll() is not None or room.run(asks, check=False).returncode == 0,
            DAEMON_DEADLINE_S,
        )
        if process.poll() is not None:
            raise RuntimeError(f"{argv[0]} ended: {log.read_text()[-2000:]}")
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(DAEMON_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(DAEMON_DEADLINE_S)


@contextlib.contextmanager
def dockerd(room: Room) -> Iterator[None]:
    """Run docker's daemon, which runs a containerd of its own."""
    driver = "systemd" if room.has_systemd else "cgroupfs"
    settings = ["--host", "unix:///run/docker.sock", "--exec-opt", f"native.cgroupdriver={driver}"]
    limits = ["--default-ulimit", "nofile=1024:1024"]
    try:
        with _daemon(room, ["dockerd", *settings, *limits], [*DOCKER, "version"]):
            yield
    finally:
        # The next one makes its own. Pasta would copy this one's routes, which lead nowhere.
        room.run(["ip", "link", "delete", "docker0"], check=False)


@contextlib.contextmanager
def containerd(room: Room) -> Iterator[None]:
    """Run containerd without its CRI plugin, which wants a network configuration."""
    settings = room.directory / "containerd.toml"
    settings.write_text(
        'version = 2\nroot = "/var/lib/containerd"\nstate = "/run/containerd"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        '[grpc]\naddress = "/run/imds-containerd/containerd.sock"\n'
    )
    with _daemon(room, ["containerd", "--config", str(settings)], [*CTR, "version"]):
        yield


def podman(runtime: str, *options: str, pod: bool = False) -> Start:
    """Return podman's way with this OCI runtime and further options; in a pod of its own."""
    command = ("podman", "--runtime", runtime, *options)

    @contextlib.contextmanager
    def start(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
        if room.run([*command, "image", "exists", IMAGE], check=False).returncode:
            build = ["buildah", *options, "bud", "--quiet", "--isolation", "chroot", "--tag", IMAGE]
            room.run([*build, str(context)])
        name = uuid.uuid4().hex
        words: list[str] = []
        if pod:
            # Without an image for the infra container: it would come from a registry.
            room.run([*command, "pod", "create", "--infra-command", "sleep 600", "--infra-image",
                      IMAGE, "--name", f"pod-{name}"])  # fmt: skip
            words = ["--pod", f"pod-{name}"]
        # `run --rm` of podman 5 removes the file of --cidfile with the container.
        create = [*command, "create", "--rm", "--name", name, *words, IMAGE, *inside]
        identity = {"id": room.run(create).stdout.strip(), "runtime": "podman"}
        try:
            yield Started(
                [*command, "start", "--attach", name],
                lambda: identity,
                {"name": name, "image": IMAGE_FIELDS},
            )
        finally:
            room.run([*command, "rm", "--force", "--ignore", "--time", "0", name], check=False)
            if pod:
                room.run([*command, "pod", "rm", "--force", f"pod-{name}"], check=False)

    return start


@contextlib.contextmanager
def docker(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
    """Run a container on docker's own bridge."""
    if room.run([*DOCKER, "image", "inspect", IMAGE], check=False).returncode:
        room.run([*DOCKER, "import", str(context / "caller.tar"), IMAGE])
    name = uuid.uuid4().hex
    cid = room.directory / f"{name}.cid"
    argv = [*DOCKER, "run", "--rm", "--name", name, "--cidfile", str(cid), IMAGE, *inside]
    try:
        yield Started(
            argv,
            lambda: {"id": cid.read_text().strip(), "runtime": "docker"},
            {"name": name, "image": IMAGE_FIELDS},
        )
    finally:
        room.run([*DOCKER, "rm", "--force", name], check=False)


def _import_image(room: Room, context: Path, namespace: str) -> None:
    """Have containerd have the caller's image in a namespace of its."""
    listed = room.run([*CTR, "--namespace", namespace, "image", "ls", "-q"]).stdout
    if IMAGE not in listed:
        archive = room.directory / "caller.oci.tar"
        if not archive.exists():
            build = ["buildah", "bud", "--quiet", "--isolation", "chroot", "--tag", IMAGE]
            room.run([*build, str(context)])
            room.run(["buildah", "push", "--quiet", IMAGE, f"oci-archive:{archive}:{IMAGE}"])
        room.run([*CTR, "--namespace", namespace, "image", "import", str(archive)])


@contextlib.contextmanager
def free(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
    """Run a container of containerd's with an id of our choice, and nothing else that names it."""
    _import_image(room, context, "default")
    identity = f"cache-{uuid.uuid4().hex[:8]}"
    with room.network() as network:
        argv = [*CTR, "run", "--rm", "--with-ns", f"network:{network}", IMAGE, identity]
        try:
            yield Started(
                [*argv, *inside],
                lambda: {"id": identity, "runtime": "containerd"},
                {"name": identity, "image": IMAGE_FIELDS},
            )
        finally:
            room.run([*CTR, "task", "kill", "--signal", "9", identity], check=False)


@contextlib.contextmanager
def ctr(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
    """Run a container of containerd's, with an id and annotations as its CRI plugin writes them."""
    _import_image(room, context, "k8s.io")
    identity = _hexadecimal()
    annotations = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.image-name": IMAGE,
        "io.kubernetes.cri.sandbox-name": "api-6f7d8c9b5-x2x4z",
        "io.kubernetes.cri.sandbox-namespace": "payments",
    }
    words = [
        word for name, value in annotations.items() for word in ("--annotation", f"{name}={value}")
    ]
    with room.network() as network:
        argv = [*CTR, "--namespace", "k8s.io", "run", "--rm", "--with-ns", f"network:{network}"]
        # The cgroup is /k8s.io/ID, which does not tell the runtime, or a scope, as the CRI plugin
        # names it.
        scope = ["--runc-systemd-cgroup", "--cgroup", f"system.slice:cri-containerd:{identity}"]
        argv += scope if room.has_systemd else []
        try:
            yield Started(
                [*argv, *words, IMAGE, identity, *inside],
                lambda: {"id": identity, "runtime": "containerd"},
                {"name": "app", "image": IMAGE_FIELDS},
                {"type": "kubernetes", "namespace": "payments"},
            )
        finally:
            task = [*CTR, "--namespace", "k8s.io", "task", "kill", "--signal", "9", identity]
            room.run(task, check=False)


def oci(program: str) -> Start:
    """Return the way of a low-level runtime, by a bundle as its `spec` writes it."""

    @contextlib.contextmanager
    def start(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
        identity = _hexadecimal()
        bundle = room.directory / f"bundle-{identity}"
        bundle.mkdir()
        room.run([program, "spec", "--bundle", str(bundle)] if program == "runc" else
                 ["sh", "-c", f"cd {bundle} && {program} spec"])  # fmt: skip
        with room.network() as network:
            _adapt(bundle / "config.json", context / "root", inside, network, identity, program)
            argv = [program, "--root", f"/run/{program}-state", "run", "--bundle", str(bundle)]
            try:
                yield Started([*argv, identity], lambda: {"id": identity})
            finally:
                delete = [program, "--root", f"/run/{program}-state", "delete", "--force", identity]
                room.run(delete, check=False)

    return start


def _adapt(
    path: Path, root: Path, inside: Sequence[str], network: str, identity: str, program: str
) -> None:
    config = json.loads(path.read_text())
    config["process"].update(args=list(inside), terminal=False)
    config["process"].pop("rlimits", None)
    config["root"] = {"path": str(root), "readonly": False}
    config["linux"]["cgroupsPath"] = f"/imds-test-{program}/{identity}"
    for namespace in config["linux"]["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = network
    path.write_text(json.dumps(config))


def nspawn(*, is_registered: bool) -> Start:
    """Return the way of systemd-nspawn: in machined's scope, or in one of its own.

    Without systemd it runs in a cgroup as its unit has.
    """

    @contextlib.contextmanager
    def start(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
        if is_registered and not room.has_systemd:
            pytest.skip(_BY_SYSTEMD)
        name = f"caller-{uuid.uuid4().hex[:8]}"
        cgroup = f"{maybe_hierarchy()}/imds-test-nspawn/systemd-nspawn@{name}.service"
        join = f'mkdir -p {cgroup} && echo $$ > {cgroup}/cgroup.procs && exec "$@"'
        with room.network() as network:
            by_hand = [] if room.has_systemd else ["sh", "-c", join, "sh"]
            options = [] if is_registered else ["--register=no"]
            options += [] if room.has_systemd else ["--keep-unit"]
            argv = [
                *(*by_hand, "systemd-nspawn", "--quiet", *options),
                *("--directory", str(context / "root"), "--machine", name, "--as-pid2"),
                *("--console=pipe", f"--network-namespace-path={network}"),
            ]
            yield Started([*argv, *inside], lambda: {"id": name, "runtime": "systemd-nspawn"})

    return start


@contextlib.contextmanager
def lxc(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
    """Run a system container of LXC's, with its own name as the id."""
    name = f"caller-{uuid.uuid4().hex[:8]}"
    with room.network() as network:
        config = [
            f"lxc.rootfs.path = dir:{context / 'root'}",
            f"lxc.uts.name = {name}",
            "lxc.net.0.type = none",
            f"lxc.namespace.share.net = {network}",
            "lxc.apparmor.profile = unconfined",  # LXC's own may not be loaded
        ]
        settings = room.directory / f"{name}.conf"
        settings.write_text("\n".join(config) + "\n")
        argv = ["lxc-start", "--name", name, "--foreground", "--rcfile", str(settings)]
        argv += ["--logfile", str(room.directory / f"{name}.log"), "--"]
        try:
            yield Started([*argv, *inside], lambda: {"id": name, "runtime": "lxc"})
        finally:
            room.run(["lxc-stop", "--kill", "--name", name], check=False)


_CRUN = {Cgroups.AS_HOST: _HYBRID, Cgroups.UNIFIED: _DEVICES}
_NO_PIDS = {Cgroups.UNIFIED: "runc needs the controller of pids, which version 1 has on this host"}
_UNIT = dict.fromkeys(
    (Cgroups.LEGACY, Cgroups.UNIFIED),
    "without systemd its cgroup is made by the test, beside version 1",
)

# What no configuration knows.
_ELSEWHERE = ("--root", "/var/lib/containers/elsewhere", "--runroot", "/run/elsewhere")
_BY_MONITOR = "which storage it is in, only conmon tells, while it lives"
_BY_TASK = "that it is a container, only its task tells, while it lives"
_POD = podman("runc", pod=True)
_ROOTLESS = ("slirp4netns", "uidmap")

RUNTIMES = (
    Runtime("podman-runc", ("podman", "runc", "iptables"), podman("runc")),
    Runtime("podman-crun", ("podman", "crun", "iptables"), podman("crun"), cannot=_CRUN),
    Runtime(
        "podman-pod", ("podman", "runc", "catatonit"), podman("runc", pod=True), cannot=_NO_PIDS
    ),
    Runtime("podman-root", ("podman", "runc"), podman("runc", *_ELSEWHERE), gone=_BY_MONITOR),
    Runtime("podman-rootless", ("podman", "runc", *_ROOTLESS), rootless("slirp4netns")),
    Runtime("podman-pasta", ("podman", "runc", *_ROOTLESS), rootless("pasta"), since="pasta"),
    Runtime("docker", ("docker.io", "iptables"), docker, dockerd, cannot=_NO_PIDS),
    Runtime("containerd", ("containerd", "runc"), ctr, containerd, cannot=_NO_PIDS),
    Runtime("ctr", ("containerd", "runc"), free, containerd, cannot=_NO_PIDS, gone=_BY_TASK),
    Runtime("runc", ("runc",), oci("runc"), cannot=_NO_PIDS),
    Runtime("crun", ("crun",), oci("crun"), cannot=_CRUN),
    Runtime("systemd-nspawn", ("systemd-container",), nspawn(is_registered=False), cannot=_UNIT),
    Runtime("machined", ("systemd-container",), nspawn(is_registered=True), cannot=_UNIT),
    Runtime("lxc", ("lxc",), lxc),
)


def packages() -> tuple[str, ...]:
    """Return the Debian packages of the runtimes, and of what their tests use beside these."""
    shared = ("buildah", "busybox-static", "iproute2", "util-linux")
    return tuple(sorted({*shared, *(name for runtime in RUNTIMES for name in runtime.packages)}))


# Why a test is skipped wherever every runtime can run.
SKIPPED_EVERYWHERE = frozenset({_BY_SYSTEMD, *(each.gone for each in RUNTIMES if each.gone)})
