"""Makes commands look at the caller's own interpreter, environment, container and user.

The system's Python or Ruby says nothing of an application that has its own. Text out of the log is
quoted, and what a command starts is an interpreter or a tool, as the caller's user.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Callable, Optional

from analyzer.logline.interpreters import base, interpreter
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import quoted
from analyzer.report.diagnosis.scene import Scene

_HOST = "host"
_PROGRAM = "PROGRAM"
_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}|[0-9A-Za-z][0-9A-Za-z_.-]{0,127}", re.ASCII)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_SYSTEM = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin")
# Commands about the cluster, the account or the host itself, wherever the caller runs.
_OF_ELSEWHERE = re.compile(
    r"aws .*|kubectl .*|crictl .*|docker .*|podman .*|lxc-info .*|systemctl .*|journalctl .*"
    r"|TOKEN=.*|curl .*|wget .*|grep .*|dpkg .*|dpkg-query .*",
    re.DOTALL,
)
# Container runtime, as in the log -> what runs a command in one of its containers.
_EXEC: Mapping[str, str] = {
    "docker": "docker exec {id}",
    "podman": "podman exec {id}",
    "containerd": "crictl exec {id}",
    "cri-o": "crictl exec {id}",
    "lxc": "lxc-attach -n {id} --",
}


def at_home(command: str, group: Group, scene: Scene) -> str:
    """Return a command of a client's for the place where the caller runs."""
    if _PROGRAM in command:
        return command.replace(_PROGRAM, quoted(_program(group, scene)))
    for pattern, make in _MADE:
        match = pattern.fullmatch(command)
        if match is not None:
            return _entered(make(match, scene) or command, group, scene)
    return command if _OF_ELSEWHERE.fullmatch(command) else _entered(command, group, scene)


def _program(group: Group, scene: Scene) -> str:
    """Return the path of the executable as the host sees it."""
    image = scene.own.image if scene.own else None
    if image is None or not image.executable.startswith("/"):
        return _PROGRAM
    is_inside = group.key.place != _HOST and image.pid > 0
    return f"/proc/{image.pid}/root{image.executable}" if is_inside else image.executable


def _pip_show(match: re.Match[str], scene: Scene) -> str:
    python = _maybe_interpreter(scene, "python")
    names = match["packages"].split()
    versions = ", ".join(f"{each}.__version__" for each in names)
    code = f"import {', '.join(names)}; print({versions})"
    return f"{quoted(python)} -c {quoted(code)}" if python else ""


def _gem_list(match: re.Match[str], scene: Scene) -> str:
    ruby = _maybe_interpreter(scene, "ruby")
    return f"{quoted(ruby)} -S {match[0]}" if ruby else ""


def _in_folder(match: re.Match[str], scene: Scene) -> str:
    script = scene.own.script if scene.own else ""
    above, is_module, _ = script.partition("/node_modules/")
    folder = above if is_module else posixpath.dirname(script)
    if not script.startswith("/") or not folder.startswith("/"):
        return ""
    tool, verb, rest = match[0].split(" ", 2)
    option = "--prefix" if tool == "npm" else "--working-dir"
    return f"{tool} {verb} {option} {quoted(folder)} {rest}"


def _aws(_match: re.Match[str], scene: Scene) -> str:
    own = scene.own
    paths = (own.script, own.image.executable) if own else ()
    path = next((each for each in paths if each.startswith("/") and base(each) == "aws"), "")
    return f"{quoted(path)} --version" if path else ""


_MADE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Scene], str]], ...] = (
    (re.compile(r"python3 -m pip show (?P<packages>[a-z0-9_]+(?: [a-z0-9_]+)*)"), _pip_show),
    (re.compile(r"gem list [a-z0-9_-]+"), _gem_list),
    (re.compile(r"(?:npm ls|composer show) [\w@/. -]+"), _in_folder),
    (re.compile(r"aws --version"), _aws),
)


def _maybe_interpreter(scene: Scene, family: str) -> Optional[str]:
    """Return the interpreter of the caller's own environment, None for another program.

    The kernel names the file behind the links of a virtual environment: which environment it is,
    the caller's own name or the folder of its script says.
    """
    own = scene.own
    if own is None or not _is_of(base(own.image.executable), family):
        return None
    called = own.image.args[0] if own.image.args else ""
    folder = posixpath.dirname(own.script)
    beside = f"{folder}/{family}" if folder.endswith("/bin") and folder.startswith("/") else ""
    candidates = (own.image.executable, called, beside)
    paths = [each for each in candidates if each.startswith("/") and _is_of(base(each), family)]
    own_ones = [each for each in paths if posixpath.dirname(each) not in _SYSTEM]
    return next(iter((*own_ones, *paths)), None)


def _is_of(file: str, family: str) -> bool:
    return file.startswith(family) and interpreter(file) is not None


def _entered(command: str, group: Group, scene: Scene) -> str:
    """Return a command for where the caller is, as its user; "" where no way in is known."""
    own = scene.own
    if group.key.place == _HOST:
        is_made = command.startswith(("/", "'", "$'", "npm", "composer"))
        return f"{_as_user(scene)}{command}" if is_made else command
    words = f"sh -c {quoted(command)}" if re.search(r"[|;&<>]", command) else command
    way = _EXEC.get(scene.runtime)
    if way is not None and _CONTAINER_ID.fullmatch(scene.container):
        entered = way.format(id=quoted(scene.container))
        return f"{entered} {words}"
    if own is not None and own.image.pid > 0:
        return f"nsenter -t {own.image.pid} -m {words}"
    return ""


def _as_user(scene: Scene) -> str:
    own = scene.own
    if own is None or own.image.uid <= 0:
        return ""
    user = own.user if _USER.fullmatch(own.user) else f"#{own.image.uid}"
    return f"sudo -u {quoted(user)} "
