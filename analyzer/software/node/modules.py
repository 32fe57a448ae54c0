"""Reads folders of node_modules: the wanted packages at the top and in nested copies.

npm and pnpm leave a list of all that they installed. Of others the folders are looked through.
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Optional

from analyzer.software.folder import Folder
from analyzer.software.found import Library
from analyzer.software.node.packages import CLIENTS, Described, is_wanted_name, maybe_described
from analyzer.software.wanted import NPM

# npm's list has 700 bytes for each package: one of 6,000.
_LIST_MAX = 4 << 20
_LISTED_MAX = 64  # wanted packages, old copies among them
_NAMES_MAX = 16384
_NESTED_MAX = 256  # folders in which an own node_modules is looked into
_REQUIRED_BY_MAX = 8
_CLIENTS_MAX = 8

_SCOPES = frozenset(name.partition("/")[0] for name in NPM if name.startswith("@"))
_LIST = ".package-lock.json"
_ENTRY = re.compile(
    rb'^    "((?:node_modules/[^"\\]{1,256}/)?node_modules/[^"\\]{1,256})": \{', re.MULTILINE
)
_WANTED = re.compile(
    rb'"(%s|@aws-sdk/client-[a-z0-9-]{1,64})": "[^"\\]{1,128}"'
    % b"|".join(re.escape(name.encode()) for name in sorted(NPM))
)
_VERSION = re.compile(rb'\s*"version": "([^"\\]{1,64})"')
# A version's folder in pnpm's store: scope+name@version, and what it was resolved with.
_STORED = re.compile(r"(@[^+@/]+\+)?([^@/+]+)@(\d[^_()/]*)(?:[_(].*)?")


def libraries(folder: Folder) -> Iterator[Library]:
    """Yield what one node_modules holds. ``folder`` is its parent, the project."""
    project = maybe_described(folder, "package.json")
    with folder.below("node_modules") as modules:
        names = frozenset(modules.names()[:_NAMES_MAX])
        if ".pnpm" in names:
            found = _of_pnpm(modules)
        elif _LIST in names:
            found = _of_list(modules)
        else:
            found = _of_folders(modules, names)
        clients = 0
        for library in found:
            clients += library.name.startswith(CLIENTS)
            if clients <= _CLIENTS_MAX or not library.name.startswith(CLIENTS):
                by = (*_of_project(project, modules, library), *library.required_by)
                yield library._replace(required_by=by[:_REQUIRED_BY_MAX])


def _of_project(project: Optional[Described], modules: Folder, library: Library) -> tuple[str, ...]:
    """Return the project itself if it asks for what stands at the top."""
    if project is None or not project.name or library.name not in project.required:
        return ()
    top = f"{modules.path}/{library.name}"
    is_top = library.path == top or _real(modules, library.name) == library.path
    return (project.text,) if is_top else ()


def _real(modules: Folder, name: str) -> str:
    try:
        return modules.root.real(f"{modules.path}/{name}")
    except OSError:
        return ""


def _of_list(modules: Folder) -> Iterator[Library]:
    """Yield what npm's own list says, old copies below other modules included."""
    raw = modules.read(_LIST, _LIST_MAX)
    heads = list(_ENTRY.finditer(raw))
    starts = [head.start() for head in heads]
    found: dict[str, Library] = {}
    for head in heads:
        place = head[1].decode("utf-8", "replace")
        name = place.rpartition("node_modules/")[2]
        version = _VERSION.match(raw, head.end())
        if is_wanted_name(name) and version is not None and len(found) < _LISTED_MAX:
            path = f"{posixpath.dirname(modules.path)}/{place}"
            found[place] = Library("npm", name, version[1].decode("ascii", "replace"), path)
    asks: dict[str, list[str]] = {place: [] for place in found}
    names = {library.name for library in found.values()}
    for match in _WANTED.finditer(raw) if found else ():
        at = bisect_right(starts, match.start()) - 1
        wanted = match[1].decode("ascii")
        if at < 0 or wanted not in names:
            continue
        asking = heads[at][1].decode("utf-8", "replace")
        place = _resolved(asking, wanted, found)
        version = _VERSION.match(raw, heads[at].end())
        if place and place != asking and version is not None:
            name = asking.rpartition("node_modules/")[2]
            asks[place].append(f"{name} {version[1].decode('ascii', 'replace')}")
    for place, library in found.items():
        yield library._replace(required_by=tuple(dict.fromkeys(asks[place])))


def _resolved(asking: str, wanted: str, found: dict[str, Library]) -> str:
    """Return the place that Node finds a module at, from another module upwards."""
    while True:
        place = f"{asking}/node_modules/{wanted}" if asking else f"node_modules/{wanted}"
        if place in found:
            return place
        if not asking:
            return ""
        asking = asking.rpartition("/node_modules/")[0]


def _of_pnpm(modules: Folder) -> Iterator[Library]:
    with modules.below(".pnpm") as store:
        names = [match for match in map(_STORED.fullmatch, store.names()[:_NAMES_MAX]) if match]
        wanted = [match for match in names if is_wanted_name(_stored_name(match))][:_LISTED_MAX]
        for match in wanted:
            name = _stored_name(match)
            by = [
                f"{_stored_name(other)} {other[3]}"
                for other in names[: _NAMES_MAX if len(names) * len(wanted) < 1 << 14 else 0]
                if other is not match and store.has(f"{other[0]}/node_modules/{name}")
                and _leads_to(store, f"{other[0]}/node_modules/{name}", match[0])
            ]  # fmt: skip
            path = f"{store.path}/{match[0]}/node_modules/{name}"
            yield Library("npm", name, match[3], path, tuple(by))


def _stored_name(match: re.Match[str]) -> str:
    return (match[1] or "").replace("+", "/") + match[2]


def _leads_to(store: Folder, link: str, entry: str) -> bool:
    return f"/.pnpm/{entry}/" in _real(store, link) + "/"


def _of_folders(modules: Folder, names: frozenset[str]) -> Iterator[Library]:
    """Yield what the folders themselves hold; one level of nested copies."""
    packages = list(_packages(modules, names))
    yield from _wanted(modules, [name for name in packages if is_wanted_name(name)])
    nested = [name for name in packages if modules.has(f"{name}/node_modules")]
    for name in nested[:_NESTED_MAX]:
        try:
            with modules.below(f"{name}/node_modules") as below:
                found = [each for each in _packages(below, _SCOPES) if is_wanted_name(each)]
                found += filter(is_wanted_name, below.names()[:_NAMES_MAX])
                if found:
                    holder = maybe_described(modules, f"{name}/package.json")
                    by = holder.text if holder is not None else name
                    yield from _wanted(below, found, by)
        except OSError:
            continue


def _wanted(modules: Folder, names: list[str], above: str = "") -> Iterator[Library]:
    asks: dict[str, list[str]] = {}
    found: list[Library] = []
    for name in names:
        said = maybe_described(modules, f"{name}/package.json")
        if said is not None:
            found.append(Library("npm", name, said.version, f"{modules.path}/{name}"))
            for wanted in said.required:
                asks.setdefault(wanted, []).append(said.text)
    for library in found:
        by = filter(None, (above, *asks.get(library.name, ())))
        yield library._replace(required_by=tuple(by))


def _packages(modules: Folder, names: frozenset[str]) -> Iterator[str]:
    """Yield the packages of a folder's names, those of its scopes by their own names."""
    for name in sorted(names):
        if name.startswith("@"):
            try:
                with modules.below(name) as scope:
                    yield from (f"{name}/{each}" for each in scope.names()[:_NAMES_MAX])
            except OSError:
                continue
        elif not name.startswith("."):
            yield name
