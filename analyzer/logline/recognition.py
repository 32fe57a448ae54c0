"""Recognises what one process runs: a program, a script, a package, code, or only a command.

What decides is the executable, which the kernel tells. Name and arguments, which a process may
change, are read only as far as the executable is an interpreter.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from analyzer.logline.interpreters import (
    CODE,
    PACKAGE,
    SCRIPT,
    Interpreter,
    base,
    interpreter,
    kernel_script,
    target,
)
from analyzer.logline.launchers import INITS, SHIMS, WRAPPERS

PROGRAM = "program"
UNNAMED = "(unnamed)"
# What masking leaves of an argument vector that it had no time for.
_REDACTED = "[redacted]"
_DELETED = " (deleted)"
# Files that are several programs; which one, the first argument or the process's name says.
_MULTI_CALL = frozenset({"busybox", "toybox", "coreutils", "uutils"})
# Arguments that are looked at: no script stands further behind. The recorder bounds their length.
_WORDS_MAX = 32

# Programs that fetch a package by its name and run it.
_FETCHERS = re.compile(r"npx(?:-cli\.js)?|bunx|uvx|pipx|pnpx|npm(?:-cli\.js)?|pnpm|yarn|uv|poetry")
_FETCH_WORDS = frozenset({"run", "exec", "x", "dlx", "tool"})
_FETCH_VALUED = frozenset({"-p", "--package", "--from", "--with", "--python", "-c", "--call"})
_PACKAGE_VERSION = re.compile(r"(?<=.)(?:@|==)[^/@]*\Z")
# A shell that reads a file into itself runs that script.
_SOURCED = re.compile(r"\s*(?:\.|source)\s+(?:(['\"])(.+?)\1|([^\s;&|]+))")
_NUMBERS = re.compile("[0-9]+")
# A word, and more behind it: a name alone may be that of a link to the interpreter.
_TITLE = re.compile(r"\[?([A-Za-z][\w.-]{0,63})(?::|\]| [^/]).", re.ASCII)
_EXECUTABLES = re.compile(r"(?:/usr)?(?:/local)?/s?bin/([^/]+)")


class Image(NamedTuple):
    """A process as the log shows it; "" and () for what is not known, arguments masked."""

    pid: int
    uid: int
    name: str
    executable: str = ""
    args: tuple[str, ...] = ()


class Role(enum.Enum):
    """Role of a process in a call. An actor wanted it; others carry it out for an ancestor."""

    ACTOR = "actor"
    CARRIER = "carrier"  # it was told by its parent
    SHELL = "shell"  # without a script: a person's, or a carrier
    INIT = "init"


class Program(NamedTuple):
    """The program of a process.

    ``name`` is for people. ``subject`` tells it from others: a path, or a module's name behind its
    interpreter's. ``code`` is what stood on its command line. ``file`` is the executable's.
    """

    name: str
    kind: str
    subject: str
    role: Role
    file: str
    code: str = ""


def recognise(image: Image) -> Program:
    """Return what a process runs."""
    executable = image.executable.removesuffix(_DELETED)
    args = image.args[:_WORDS_MAX]
    if args == (_REDACTED,):
        args = ()
    called = base(args[0]).lstrip("-") if args else ""
    file = base(executable) or _file(called, image.name)
    if file in _MULTI_CALL:
        file, args = _applet(file, called, image.name, args)
        executable = file
    told = interpreter(file)
    found = kernel_script(image.name, file, args) if told is None or args else None
    # Other words may stand there: a server puts its title in their place.
    if found is None and told is not None and interpreter(called) is not None:
        found = target(told, args)
    if found is not None and found.kind != CODE:
        return _of_target(found.kind, found.text, file, args)
    if told is not None:
        return _of_interpreter(told, image.name, file, found.text if found else "", args)
    return _of_file(image, executable, file, args)


def _file(called: str, name: str) -> str:
    """Return the likely name of an executable that is not known."""
    return called if interpreter(called) is not None else name or called


def _applet(
    file: str, called: str, name: str, args: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return which of its programs a file is run as, and its arguments."""
    if called and called != file and not called.startswith("--"):
        return called, args
    if len(args) > 1 and called == file and not args[1].startswith("-"):
        return base(args[1]), args[1:]
    return (name or file), args


def _of_target(kind: str, text: str, file: str, args: tuple[str, ...]) -> Program:
    name = base(text) or text
    if _FETCHERS.fullmatch(name):
        package = _fetched(text, args)
        if package:
            return Program(package, PACKAGE, f"{name} {package}", Role.ACTOR, file)
    if kind == PACKAGE and "/" not in text:
        return Program(text, kind, f"{_family(file)} {text}", Role.ACTOR, file)
    if WRAPPERS.fullmatch(name):  # one that is a script itself
        return Program(name, kind, text, Role.CARRIER, file)
    return Program(name, kind, text, Role.ACTOR, file)


def _of_interpreter(
    told: Interpreter, name: str, file: str, code: str, args: tuple[str, ...]
) -> Program:
    if told.is_shell:
        sourced = _SOURCED.match(code)
        if sourced is not None:
            path = sourced[2] or sourced[3]
            return Program(base(path) or path, SCRIPT, path, Role.ACTOR, file)
        return Program(name or file, PROGRAM, file, Role.SHELL, file, code)
    title = name.partition(":")[0]
    if title in ("", file) or interpreter(title) is not None:
        title = _title(args)
    if not code and title:
        # It has given itself a name, as servers do; nothing else tells it from others.
        subject = f"{_family(file)} {_NUMBERS.sub('*', title)}"
        return Program(title, SCRIPT, subject, Role.ACTOR, file)
    return Program(name or file, PROGRAM, _family(file), Role.ACTOR, file, code)


def _title(args: tuple[str, ...]) -> str:
    """Return the title that a server put in place of its arguments, "" where these are none.

    Ruby leaves the process's name as it is. What stands behind the first word differs from process
    to process: `codedeploy-agent: master 812`, `puma 5.6.5 (tcp://0.0.0.0:80) [app]`.
    """
    match = _TITLE.match(args[0]) if len(args) == 1 else None
    return match[1] if match and interpreter(match[1]) is None else ""


def _of_file(image: Image, executable: str, file: str, args: tuple[str, ...]) -> Program:
    name = file or UNNAMED
    if image.pid == 1 or INITS.fullmatch(file):
        role = Role.INIT
    elif WRAPPERS.fullmatch(file) or SHIMS.fullmatch(file):
        role = Role.CARRIER
    else:
        role = Role.ACTOR
    if role is Role.ACTOR and _FETCHERS.fullmatch(file):
        package = _fetched("", args)
        if package:
            return Program(package, PACKAGE, f"{file} {package}", role, file)
    # Where a distribution puts its programs differs; which one it is does not.
    standard = _EXECUTABLES.fullmatch(executable)
    return Program(name, PROGRAM, standard[1] if standard else executable or name, role, file)


def _fetched(script: str, args: tuple[str, ...]) -> str:
    """Return the name of the package that a program of _FETCHERS is told to run, "" for none."""
    words = iter(args[args.index(script) + 1 :] if script in args else args[1:])
    for word in words:
        if word in _FETCH_VALUED:
            next(words, None)
        elif word not in _FETCH_WORDS and word and not word.startswith("-"):
            return _PACKAGE_VERSION.sub("", word)
    return ""


def _family(file: str) -> str:
    """Return an interpreter's name without its version."""
    return file.rstrip("0123456789.-") or file
