"""Runs podman as a user: as nobody, or as one whose own systemd makes the cgroups."""

from __future__ import annotations

import contextlib
import os
import pwd
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from tests.containers.callers import IMAGE
from tests.containers.room import Room
from tests.containers.ways import IMAGE_FIELDS, Start, Started

NOBODY = 65534  # who owns nothing


class _User(NamedTuple):
    """Who runs rootless containers: of a directory below, and a bus, if its systemd runs."""

    uid: int
    gid: int
    home: str
    runtime: str
    options: tuple[str, ...]
    bus: tuple[str, ...] = ()


def _maybe_lingering(room: Room) -> Optional[_User]:
    """Return the user whose systemd runs, in a machine that has one for the tests."""
    name = os.environ.get("IMDS_ANALYZER_LINGERING_USER")
    if name is None or not room.has_systemd:
        return None
    found = pwd.getpwnam(name)
    runtime = f"/run/user/{found.pw_uid}"
    bus = (f"DBUS_SESSION_BUS_ADDRESS=unix:path={runtime}/bus",)
    options = ("--cgroup-manager", "systemd")
    return _User(found.pw_uid, found.pw_gid, found.pw_dir, runtime, options, bus)


@contextlib.contextmanager
def _nobody(room: Room) -> Iterator[_User]:
    home = f"/run/rootless-{uuid.uuid4().hex}"
    ranges = f"mkdir -p {home} && echo nobody:100000:65536 > {home}/ranges"
    mounts = [f"mount --bind {home}/ranges /etc/{name}" for name in ("subuid", "subgid")]
    room.run(["sh", "-ec", "\n".join([ranges, *mounts])])
    try:
        options = ("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs")
        yield _User(NOBODY, NOBODY, home, home, options)
    finally:
        room.run(["umount", "/etc/subuid", "/etc/subgid"], check=False)


def rootless(network: str) -> Start:
    """Return podman's way as a user, with this program as its network.

    Without a systemd of the user's, podman makes no cgroup: the call is seen, and no container.
    """

    @contextlib.contextmanager
    def start(room: Room, context: Path, inside: Sequence[str]) -> Iterator[Started]:
        with contextlib.ExitStack() as undo:
            lingering = _maybe_lingering(room)
            user = lingering or undo.enter_context(_nobody(room))
            yield undo.enter_context(_rootless(room, user, network, context, inside))

    return start


@contextlib.contextmanager
def _rootless(
    room: Room, user: _User, network: str, context: Path, inside: Sequence[str]
) -> Iterator[Started]:
    as_user = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "env"]
    as_user += ["-i", f"HOME={user.home}", f"XDG_RUNTIME_DIR={user.runtime}", *user.bus]
    as_user += [f"PATH={room.environment()['PATH']}"]
    as_user += ["sh", "-c", f'cd {user.home} && exec "$@"', "sh"]
    command = [*as_user, "podman", *user.options, "--events-backend", "file", "--runtime", "runc"]
    archive = f"{user.home}/caller.oci.tar"
    name = f"caller-{uuid.uuid4().hex[:8]}"
    if room.run([*command, "image", "exists", IMAGE], check=False).returncode:
        build = ["buildah", "bud", "--quiet", "--isolation", "chroot", "--tag", IMAGE]
        room.run([*build, str(context)])
        room.run(["buildah", "push", "--quiet", IMAGE, f"oci-archive:{archive}:{IMAGE}"])
        room.run(["chown", "--recursive", f"{user.uid}:{user.gid}", user.home])
        room.run([*command, "pull", "--quiet", f"oci-archive:{archive}"])
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
    create = [*command, "create", "--rm", "--name", name, "--network", network, *limits]

    identity = {"id": room.run([*create, IMAGE, *inside]).stdout.strip(), "runtime": "podman"}
    names = {"name": name, "image": IMAGE_FIELDS} if user.bus else {}
    try:
        argv = [*command, "start", "--attach", name]
        yield Started(argv, lambda: identity if user.bus else {}, names, network=network)
    finally:
        room.run([*command, "rm", "--force", "--ignore", "--time", "0", name], check=False)
