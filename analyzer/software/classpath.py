"""Finds the archives that a Java command line names.

The options are those of the ``java`` command's manual page. The environment (CLASSPATH) is not
read: it holds secrets.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from analyzer.software.root import Root

_ARGUMENT_FILE_MAX = 64 * 1024
_ARGUMENTS_MAX = 4096
_FILES_MAX = 512  # in one directory

_PATHS = ("-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path")
# Options whose value is an argument of its own.
_WITH_VALUE = (
    *("--add-modules", "--add-opens", "--add-exports", "--add-reads", "--limit-modules"),
    *("--patch-module", "--enable-native-access", "--source", "-d", "--describe-module"),
)
_PREFIXES = (
    *("--class-path=", "--module-path=", "--upgrade-module-path="),
    *("-Djava.class.path=", "-Xbootclasspath/a:"),
)
_AGENT = "-javaagent:"
# Servers that load applications from below a directory.
_SERVERS = re.compile(r"-D(?:catalina\.(?:base|home)|jetty\.base)=(?P<base>.+)")
_SERVER_FOLDERS = ("lib", "webapps")
# What a fat archive has inside, unpacked.
_UNPACKED = ("BOOT-INF/lib", "WEB-INF/lib")
_TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+""", re.DOTALL)


class _Named(NamedTuple):
    """Names in the arguments: elements of class paths, and base directories of servers."""

    elements: list[str]
    bases: list[str]


def archives(root: Root, args: Sequence[str], cwd: str) -> Iterator[str]:
    """Yield the absolute paths of archives that a command line (without argv[0]) names."""
    named = _read(list(_with_files(root, args, cwd)))
    for element in named.elements:
        yield from _expand(root, absolute(element, cwd))
    for base in named.bases:
        yield from _of_server(root, absolute(base, cwd))


def absolute(path: str, cwd: str) -> str:
    """Return a path of a command line as an absolute one."""
    return posixpath.normpath(posixpath.join("/", cwd, path))


def of_manifest(urls: Iterable[str], archive: str) -> Iterator[str]:
    """Yield the paths of a manifest's class path, which are relative to its archive."""
    for url in urls:
        path = unquote(url.removeprefix("file:"))
        if "\0" not in path and "://" not in path:
            yield absolute(path, posixpath.dirname(archive))


def _with_files(root: Root, args: Sequence[str], cwd: str) -> Iterator[str]:
    for arg in args[:_ARGUMENTS_MAX]:
        if not arg.startswith("@") or arg.startswith("@@"):
            yield arg
            continue
        try:
            text = root.read(absolute(arg[1:], cwd), _ARGUMENT_FILE_MAX).decode(errors="replace")
        except OSError:
            continue
        text = re.sub(r"\\\r?\n[ \t]*", "", re.sub(r"(?m)^[ \t]*#.*$", "", text))
        tokens = (token[0] for token in _TOKEN.finditer(text))
        yield from (token.strip("\"'").replace("\\\\", "\\") for token in tokens)


def _read(args: list[str]) -> _Named:
    """Return what the options name, up to the main class or archive: the rest is the program's."""
    named = _Named([], [])
    has_path = False
    rest = iter(args)
    for arg in rest:
        server = _SERVERS.fullmatch(arg)
        prefix = next((each for each in _PREFIXES if arg.startswith(each)), "")
        if arg in _PATHS:
            named.elements.extend(next(rest, "").split(":"))
            has_path = True
        elif prefix:
            named.elements.extend(arg[len(prefix) :].split(":"))
            has_path = True
        elif arg == "-jar":
            named.elements.append(next(rest, ""))
            has_path = True
            break
        elif arg.startswith(_AGENT):
            named.elements.append(arg[len(_AGENT) :].partition("=")[0])
        elif server:
            named.bases.append(server["base"])
        elif arg in _WITH_VALUE:
            next(rest, "")
        elif not arg.startswith("-") or arg in ("-m", "--module"):
            break
    if not has_path:
        named.elements.append(".")
    return _Named([each for each in named.elements if each], named.bases)


def _expand(root: Root, path: str) -> Iterator[str]:
    """Yield an archive, those that ``lib/*`` stands for, or those in an unpacked fat archive."""
    if path.endswith("/*"):
        yield from _in_folder(root, path[:-2])
    elif path.endswith((".jar", ".war", ".ear")):
        yield path
    elif root.is_dir(path):
        yield from _unpacked(root, path)


def _unpacked(root: Root, path: str) -> Iterator[str]:
    for folder in _UNPACKED:
        yield from _in_folder(root, posixpath.join(path, folder))


def _of_server(root: Root, base: str) -> Iterator[str]:
    lib, webapps = (posixpath.join(base, folder) for folder in _SERVER_FOLDERS)
    yield from _in_folder(root, webapps)
    for name in _names(root, webapps):
        yield from _unpacked(root, posixpath.join(webapps, name))
    yield from _in_folder(root, lib)


def _in_folder(root: Root, folder: str) -> Iterator[str]:
    for name in _names(root, folder):
        if name.lower().endswith((".jar", ".war")):
            yield posixpath.join(folder, name)


def _names(root: Root, folder: str) -> list[str]:
    try:
        return root.names(folder)[:_FILES_MAX]
    except (OSError, ValueError):
        return []
