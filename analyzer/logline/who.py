"""Who made a request, in words: ``curl ← deploy.sh ← cron``, unit, container, user.

Pure functions over the fields of one line. Nothing here is escaped: what shows the words does that.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Optional

from analyzer.logline.line import text_at, value_at

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


# What is kept of programs seen before; a host has a few dozen. No name needs more of arguments.
_PROGRAMS_MAX = 512
_ARGS_MAX = 32
_ARG_CHARACTERS_MAX = 1024


class Who(NamedTuple):
    """A caller in words; "" for what is not known, or tells nothing.

    ``actors`` is the program, then who started it, nearest first. ``container`` is the pod or task
    where the log says it.
    """

    actors: tuple[str, ...]
    unit: str
    container: str
    user: str
    agent: str


class Program(NamedTuple):
    """What a process runs.

    ``name`` is the script's where it interprets one, else its own; ``names`` all that it may be
    called. A go-between only passes on what somebody else wants.
    """

    name: str
    names: frozenset[str]
    is_go_between: bool


def who(fields: Mapping[str, Any]) -> Who:
    """Return the caller of one request."""
    caller = value_at(fields, "process")
    container = _container(fields)
    unit = text_at(fields, "service", "name")
    if container and _MACHINE_SCOPE.fullmatch(unit):
        unit = ""
    actors = [program(caller).name]
    for each in map(program, ancestors(caller)):
        if each.name != actors[-1] and not each.is_go_between:
            actors.append(each.name)
    return Who(tuple(actors), unit, container, _user(caller), _agent(fields, caller))


def program(process: object) -> Program:
    """Return what a process runs."""
    args = value_at(process, "args")
    words = args[:_ARGS_MAX] if isinstance(args, list) else []
    return _program(
        text_at(process, "name")[:_ARG_CHARACTERS_MAX],
        text_at(process, "executable")[:_ARG_CHARACTERS_MAX],
        tuple(word[:_ARG_CHARACTERS_MAX] for word in words if isinstance(word, str)),
    )


def ancestors(process: object) -> Sequence[object]:
    """Return a process's ancestors, nearest first, without pid 1."""
    found = value_at(process, "ancestors")
    each = found if isinstance(found, list) else []
    return [one for one in each if value_at(one, "pid") != 1]


@functools.lru_cache(maxsize=_PROGRAMS_MAX)
def _program(name: str, executable: str, args: tuple[str, ...]) -> Program:
    binary = PurePosixPath(executable).name
    interpreter = _interpreter(binary, args)
    script = _script(interpreter, args) if interpreter is not None else ""
    called = PurePosixPath(script).name or script or name or binary or "?"
    names = frozenset({name, executable, binary, script, PurePosixPath(script).name} - {""})
    is_told = len(args) > 1 and _SHELL.inline.fullmatch(args[1]) is not None
    is_go_between = _GO_BETWEENS.fullmatch(name) is not None
    return Program(called, names, is_go_between or (interpreter is _SHELL and is_told))


def _script(interpreter: _Interpreter, args: tuple[str, ...]) -> str:
    """Return the script, module or jar that an interpreter was told to run; "" for none."""
    rest = iter(args[1:])
    for arg in rest:
        if interpreter.inline.fullmatch(arg):
            return ""
        if arg in interpreter.module:
            return next(rest, "")
        if arg in interpreter.valued:
            next(rest, "")
        elif not arg.startswith(("-", "+")) and arg:
            return arg
    return ""


def _interpreter(binary: str, args: tuple[str, ...]) -> Optional[_Interpreter]:
    """Return how its arguments are read; None also where it has put other words there itself."""
    if not args or (binary and not any(each.names.fullmatch(binary) for each in _INTERPRETERS)):
        return None
    called = PurePosixPath(args[0].lstrip("-")).name
    return next((each for each in _INTERPRETERS if each.names.fullmatch(called)), None)


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
    agent = text_at(fields, "user_agent", "original")[:_ARG_CHARACTERS_MAX]
    words = [word for word in re.sub(r"\([^)]*\)", "", agent).split() if word]
    telling = [word for word in words if not _AGENT_PLATFORM.fullmatch(word)]
    called = text_at(caller, "name").lower()
    if len(telling) == 1:
        product = telling[0].partition("/")[0].lower()
        if product == called or _AGENT_LIBRARY.fullmatch(telling[0]):
            return ""
    return " ".join(telling)
