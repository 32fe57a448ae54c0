"""Who made a request, in words: ``curl ← deploy.sh ← cron``, unit, container, user.

Pure functions over the fields of one line. Nothing here is escaped: what shows the words does that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Optional

from analyzer.tail.line import text_at, value_at

# Of a container's, pod's or task's id, as much as the runtimes' own tools print.
ID_SHOWN = 12
POD_SHOWN = 8


class _Interpreter(NamedTuple):
    """How a program's arguments name the script that it runs."""

    names: re.Pattern[str]
    inline: re.Pattern[str]  # options behind which code stands, not a file
    module: frozenset[str] = frozenset()  # options behind which the script, or its like, stands
    valued: frozenset[str] = frozenset()  # options that take the next argument


_INTERPRETERS = (
    _Interpreter(
        re.compile(r"(ba|da|a|z|k|mk)?sh|busybox"),
        re.compile(r"-[a-zA-Z]*c[a-zA-Z]*"),
        valued=frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}),
    ),
    _Interpreter(
        re.compile(r"python[\d.]*|pypy[\d.]*|platform-python[\d.]*"),
        re.compile(r"-[a-zA-Z]*c"),
        frozenset({"-m"}),
        frozenset({"-W", "-X", "--check-hash-based-pycs"}),
    ),
    _Interpreter(re.compile(r"perl[\d.]*"), re.compile(r"-[a-zA-Z]*[eE]")),
    _Interpreter(
        re.compile(r"ruby[\d.]*"),
        re.compile(r"-[a-z]*e"),
        valued=frozenset({"-I", "-r", "-C", "-E"}),
    ),
    _Interpreter(
        re.compile(r"node(js)?[\d.]*"),
        re.compile(r"-[ep]+|--eval|--print"),
        valued=frozenset({"-r", "--require", "--import", "--loader"}),
    ),
    _Interpreter(
        re.compile(r"php(-cgi|-fpm)?[\d.]*"),
        re.compile(r"-r"),
        frozenset({"-f"}),
        frozenset({"-d", "-c"}),
    ),
    _Interpreter(
        re.compile(r"java"),
        re.compile(r"--source"),
        module=frozenset({"-jar", "-m", "--module"}),
        valued=frozenset({"-cp", "-classpath", "--class-path", "-p", "--module-path"}),
    ),
)
_SHELL = _INTERPRETERS[0]

# What stands between a program and who really started it, and tells nobody anything.
_GO_BETWEENS = re.compile(
    r"containerd-shim.*|conmon|crun|runc|docker-init|tini|dumb-init|catatonit|pause|s6-.*"
)
_MACHINE_SCOPE = re.compile(r"(cri-containerd|docker|libpod|crio|nerdctl)-[0-9a-f]{12,}\.scope")
# Of a user agent, words that say what it ran on, not what it is.
_AGENT_PLATFORM = re.compile(
    r"(c?python|linux|java|openjdk.*|ruby|kotlin|os|lang|ua|md|cfg|m|exec-env|app)/.*",
    re.IGNORECASE,
)
_AGENT_LIBRARY = re.compile(
    r"(go-http-client|python-urllib|java|node-fetch|undici|ruby|okhttp|libwww-perl)(/.*)?",
    re.IGNORECASE,
)


class Who(NamedTuple):
    """A caller in words. ``actors``: the program, then who started it, nearest first.

    ``place`` is the unit, or the container or pod in which it ran; "" where there is neither.
    """

    actors: tuple[str, ...]
    unit: str
    container: str
    user: str
    agent: str


def who(fields: Mapping[str, Any]) -> Who:
    """Return the caller of one request."""
    caller = value_at(fields, "process")
    container = _container(fields)
    unit = text_at(fields, "service", "name")
    if container and _MACHINE_SCOPE.fullmatch(unit):
        unit = ""
    actors = (program(caller), *_launchers(caller))
    return Who(actors, unit, container, _user(caller), _agent(fields, caller))


def program(process: object) -> str:
    """Return what a process is: the script's name where it interprets one, else its own."""
    name = text_at(process, "name")
    file = _script(process)
    if file:
        return PurePosixPath(file).name or file
    return name or PurePosixPath(text_at(process, "executable")).name or "?"


def names(process: object) -> set[str]:
    """Return all that a process may be called: name, executable and script, also without path."""
    found = {text_at(process, "name")}
    for path in (text_at(process, "executable"), _script(process) or ""):
        found |= {path, PurePosixPath(path).name}
    return found - {""}


def ancestors(process: object) -> Sequence[object]:
    """Return a process's ancestors, nearest first, without pid 1."""
    found = value_at(process, "ancestors")
    each = found if isinstance(found, list) else []
    return [one for one in each if value_at(one, "pid") != 1]


def _launchers(caller: object) -> list[str]:
    words: list[str] = []
    former = program(caller)
    for each in ancestors(caller):
        name = program(each)
        if name != former and not _is_go_between(each):
            words.append(name)
            former = name
    return words


def _is_go_between(process: object) -> bool:
    if _GO_BETWEENS.fullmatch(text_at(process, "name")):
        return True
    args = _args(process)
    is_told = len(args) > 1 and _SHELL.inline.fullmatch(args[1]) is not None
    return is_told and _interpreter(process) is _SHELL


def _script(process: object) -> Optional[str]:
    """Return the script, module or jar that an interpreter was told to run."""
    interpreter = _interpreter(process)
    if interpreter is None:
        return None
    rest = iter(_args(process)[1:])
    for arg in rest:
        if interpreter.inline.fullmatch(arg):
            return None
        if arg in interpreter.module:
            return next(rest, None)
        if arg in interpreter.valued:
            next(rest, None)
        elif not arg.startswith(("-", "+")) and arg:
            return arg
    return None


def _interpreter(process: object) -> Optional[_Interpreter]:
    """Return how its arguments are read; None also where it has put other words there itself."""
    args = _args(process)
    if not args:
        return None
    called = PurePosixPath(args[0].lstrip("-")).name
    executable = PurePosixPath(text_at(process, "executable")).name
    for each in _INTERPRETERS:
        if each.names.fullmatch(called) and (not executable or _is_one(executable)):
            return each
    return None


def _is_one(executable: str) -> bool:
    return any(each.names.fullmatch(executable) for each in _INTERPRETERS)


def _args(process: object) -> list[str]:
    args = value_at(process, "args")
    return [arg for arg in args if isinstance(arg, str)] if isinstance(args, list) else []


def _container(fields: Mapping[str, Any]) -> str:
    workload = text_at(fields, "orchestrator", "resource", "id")
    if workload:
        kind = text_at(fields, "orchestrator", "resource", "type") or "workload"
        return f"{kind} {workload[:POD_SHOWN]}"
    container = text_at(fields, "container", "id")
    if not container:
        return ""
    return f"{text_at(fields, 'container', 'runtime') or 'container'} {container[:ID_SHOWN]}"


def _user(caller: object) -> str:
    """Return the user where it is not root, which is usual."""
    number = text_at(caller, "user", "id")
    if number == "0":
        return ""
    name = text_at(caller, "user", "name")
    return f"user {name}" if name else f"uid {number}" if number else ""


def _agent(fields: Mapping[str, Any], caller: object) -> str:
    """Return of the user agent what the program's name does not say already."""
    agent = text_at(fields, "user_agent", "original")
    words = [word for word in re.sub(r"\([^)]*\)", "", agent).split() if word]
    telling = [word for word in words if not _AGENT_PLATFORM.fullmatch(word)]
    called = text_at(caller, "name").lower()
    if len(telling) == 1:
        product = telling[0].partition("/")[0].lower()
        if product == called or _AGENT_LIBRARY.fullmatch(telling[0]):
            return ""
    return " ".join(telling)
