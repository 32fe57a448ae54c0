"""What a process cannot leave, from the text of /proc/PID/cgroup."""

from __future__ import annotations

import pytest

from analyzer.recorder.attribute.membership import membership_of
from analyzer.recorder.attribute.realms import is_named_by_user, realm_of

ID, OTHER = "a" * 64, "b" * 64
USER = "/user.slice/user-1001.slice"
MANAGER = f"{USER}/user@1001.service"

REALMS = {
    # Whatever a user names below its own slice, and as whoever.
    f"0::{MANAGER}/app.slice/nginx.service": USER,
    f"0::{MANAGER}/user.slice/libpod-{ID}.scope/container": USER,
    f"0::{MANAGER}/app.slice/docker-{ID}.scope": USER,
    f"0::{USER}/session-3.scope": USER,
    f"1:name=systemd:{USER}/session-3.scope\n0::/": USER,
    # The same below a container, of which the outer one counts.
    f"0::/machine.slice/web.scope/payload/docker/{ID}": "/machine.slice/web.scope/payload",
    f"0::/system.slice/docker-{ID}.scope/docker/{OTHER}": f"/system.slice/docker-{ID}.scope",
    f"0::/docker/{ID}{USER}/session-1.scope": f"/docker/{ID}",
    f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope":
        f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope",
    f"0::/system.slice/docker.service/docker/{ID}": f"/system.slice/docker.service/docker/{ID}",
    # A unit of the host.
    "0::/system.slice/nginx.service/worker": "/system.slice/nginx.service",
    "0::/system.slice/system-getty.slice/getty@tty1.service":
        "/system.slice/system-getty.slice/getty@tty1.service",
    # Nothing tells.
    "0::/": "",
    "0::/user.slice": "",
    "": "",
    f"0::/{'/'.join('x' * 100)}/docker/{ID}": "",
}  # fmt: skip


@pytest.mark.parametrize("text", REALMS)
def test_a_realm_is_what_cannot_be_left(text: str) -> None:
    assert realm_of(text) == REALMS[text]


@pytest.mark.parametrize(
    ("path", "unverified"),
    [
        (f"{MANAGER}/app.slice/nginx.service", ("service",)),
        (f"{MANAGER}/app.slice/docker-{ID}.scope", ("container", "service")),
        (f"{MANAGER}/kubepods/pod{'c' * 32}/{ID}", ("container", "orchestrator")),
        # What systemd itself names, for the user.
        (MANAGER, ()),
        (f"{MANAGER}/init.scope", ()),
        (f"{USER}/session-3.scope", ()),
        ("/system.slice/nginx.service", ()),
        (f"/system.slice/docker-{ID}.scope", ()),
    ],
)
def test_names_that_a_user_chose_are_not_verified(path: str, unverified: tuple[str, ...]) -> None:
    """A user's own service manager makes cgroups that are called as it likes."""
    assert membership_of(f"0::{path}").unverified == unverified
    assert is_named_by_user(f"0::{path}") == path.startswith(MANAGER)
