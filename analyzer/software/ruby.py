"""Finds the gems that a Ruby process can load: by its Gemfile.lock, else in its gem folders."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.root import Root, parents
from analyzer.software.subject import Subject
from analyzer.software.wanted import GEM

_UP_MAX = 16
_LOCK = "Gemfile.lock"
_LOCKS = (_LOCK, "gems.locked")
_LOCK_MAX = 1 << 20
_SPEC_MAX = 65536  # what a gem requires stands behind the list of its files
_SPECS_MAX = 1024
_NAMES_MAX = 16384
_FOLDERS_MAX = 32
_SCRIPT_MAX = 4096
_REQUIRED_BY_MAX = 8

_RUBY = re.compile(r"(?:j|truffle)?ruby[\d.]*")
# `    name (1.2.3)` is a gem of the lock file, `      name (~> 1)` what it requires.
_LOCKED = re.compile(
    r"^    (?P<name>[\w.-]+) \((?P<version>[\w.]+)(?:-[\w.-]+)?\)$|^      (?P<asks>[\w.-]+)\b",
    re.MULTILINE,
)
_GEM = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]+?)-(?P<version>\d[\w.]*)(?:-[a-z][\w-]*)?(?:\.gemspec)?"
)
_REQUIRES = re.compile(rb"add_(?:runtime_)?dependency\(?\s*(?:%q<|[\"'])([\w.-]{1,128})")
# The folder of a gem in the path of its script, or of an extension that is mapped.
_IN_GEM = re.compile(r"(.*)/(?:gems|extensions/[^/]+/[^/]+)/([^/]+-\d[^/]*)/")
_VERSIONED = re.compile(r"\d+\.\d+\.\d+|all|[\w-]*\d+\.\d+[\w.]*")
# What RubyGems writes into a program of a gem.
_BIN = re.compile(
    rb"(?:activate_bin_path|bin_path)\(['\"]([\w.-]+)['\"]|^gem ['\"]([\w.-]+)['\"]", re.MULTILINE
)
# Titles that programs give themselves.
_TITLE = re.compile(r"(puma|unicorn|sidekiq|passenger|resque|fluentd)\b[ :-]+v?(\d[\w.]*)?")


class Gem(NamedTuple):
    """A gem by its specification's name in a folder of specifications."""

    name: str
    version: str
    home: str
    spec: str

    @property
    def path(self) -> str:
        """The folder that the gem's code is in; Debian keeps it elsewhere."""
        return f"{self.home}/gems/{self.name}-{self.version}"


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the wanted gems, and the gem whose program it is."""
    if not _is_ruby(subject):
        return
    homes = tuple(dict.fromkeys(_homes(subject)))[:_FOLDERS_MAX]
    locks = list(_locked(subject, homes))
    yield from locks
    gems = list(_gems(subject.root, homes))
    if not locks:
        yield from _libraries(subject.root, gems)
    entry = _entry_point(subject, gems)
    if entry is not None:
        yield entry


def is_wanted(path: str) -> bool:
    """Tell whether a file is a wanted gem's specification, or a lock file."""
    folder, _, name = path.rpartition("/")
    if name in _LOCKS:
        return True
    gem = _named(name) if name.endswith(".gemspec") else None
    return gem is not None and gem[0] in GEM and folder.endswith(("/specifications", "/default"))


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the gem that a specification describes, or those that a lock file names."""
    folder, _, name = path.rpartition("/")
    if name in _LOCKS:
        yield from _of_lock(root, path, ())
        return
    gem = _named(name)
    if gem is not None:
        home = folder.rpartition("/specifications")[0]
        yield _library(root, Gem(*gem, home, path), ())


def _is_ruby(subject: Subject) -> bool:
    names = [posixpath.basename(word) for word in (subject.executable, *subject.args[:1])]
    return any(map(_RUBY.fullmatch, names)) or any("/libruby" in p for p in subject.open_files)


def _locked(subject: Subject, homes: Iterable[str]) -> Iterator[Library]:
    """Yield the wanted gems of the nearest lock file that has one."""
    starts = [posixpath.join(subject.cwd, "-"), subject.script, _real(subject)]
    seen: set[str] = set()
    for start in filter(None, starts):
        for folder, _ in zip(parents(start), range(_UP_MAX)):
            for name in _LOCKS:
                path = posixpath.join(folder, name)
                if path in seen or not subject.root.is_file(path):
                    continue
                seen.add(path)
                found = list(_of_lock(subject.root, path, homes))
                if found:
                    yield from found
                    return


def _real(subject: Subject) -> str:
    try:
        return subject.root.real(subject.script) if subject.script else ""
    except OSError:
        return ""


def _of_lock(root: Root, path: str, homes: Iterable[str]) -> Iterator[Library]:
    text = root.read(path, _LOCK_MAX).decode("utf-8", "replace").replace("\r\n", "\n")
    found: dict[str, str] = {}
    asks: dict[str, list[str]] = {}
    asking = ""
    for match in _LOCKED.finditer(text):
        if match["name"]:
            asking = f"{match['name']} {match['version']}"
            found[match["name"]] = match["version"]
        elif match["asks"] in GEM and asking:
            asks.setdefault(match["asks"], []).append(asking)
    bundle = f"{posixpath.dirname(path).rstrip('/')}/vendor/bundle/ruby"
    places = (*homes, *_below(root, bundle))
    for name in sorted(found.keys() & GEM):
        place = _place(root, places, f"{name}-{found[name]}") or path
        by = tuple(asks.get(name, ()))[:_REQUIRED_BY_MAX]
        yield Library("gem", name, found[name], place, by)


def _place(root: Root, homes: Iterable[str], gem: str) -> str:
    """Return where a gem is installed, "" if it is not found; Debian has no folder for each."""
    for home in homes:
        if root.is_dir(f"{home}/gems/{gem}"):
            return f"{home}/gems/{gem}"
        if root.is_file(f"{home}/specifications/{gem}.gemspec"):
            return f"{home}/specifications/{gem}.gemspec"
    return ""


def _homes(subject: Subject) -> Iterator[str]:
    """Yield the folders that may have `specifications`, nearest first."""
    root = subject.root
    for path in (subject.script, _real(subject), *subject.open_files):
        match = _IN_GEM.match(path)
        if match is not None:
            yield match[1]
    for start in filter(None, (subject.script, posixpath.join(subject.cwd, "-"))):
        for folder, _ in zip(parents(start), range(_UP_MAX)):
            yield from _below(root, posixpath.join(folder, "vendor/bundle/ruby"))
    if subject.home:
        for own in (".gem/ruby", ".local/share/gem/ruby"):
            yield from _below(root, f"{subject.home}/{own}")
    prefix = posixpath.dirname(posixpath.dirname(subject.executable))
    yield from _below(root, f"{prefix}/lib/ruby/gems")
    # RVM keeps gems beside its interpreters, in a folder of the same name.
    yield f"{posixpath.dirname(posixpath.dirname(prefix))}/gems/{posixpath.basename(prefix)}"
    if prefix.rstrip("/") in ("/usr", ""):
        for folder in ("/var/lib/gems", "/usr/local/lib/ruby/gems", "/usr/lib/ruby/gems"):
            yield from _below(root, folder)
        yield from _below(root, "/usr/share/rubygems-integration")
        yield from ("/usr/share/gems", "/usr/local/share/gems")  # Fedora's and Amazon Linux's


def _below(root: Root, folder: str) -> Iterator[str]:
    try:
        names = root.names(folder)
    except OSError:
        return
    for name in [name for name in names if _VERSIONED.fullmatch(name)][:8]:
        yield f"{folder}/{name}"


def _gems(root: Root, homes: Iterable[str]) -> Iterator[Gem]:
    for home in homes:
        for folder in (f"{home}/specifications", f"{home}/specifications/default"):
            try:
                names = root.names(folder)[:_NAMES_MAX]
            except OSError:
                continue
            for name in names:
                named = _named(name) if name.endswith(".gemspec") else None
                if named is not None:
                    yield Gem(*named, home, f"{folder}/{name}")


def _libraries(root: Root, gems: list[Gem]) -> Iterator[Library]:
    """Yield the wanted gems with who requires them; of several versions all, as all can load."""
    wanted = {(gem.name, gem.version): gem for gem in reversed(gems) if gem.name in GEM}
    if not wanted:
        return
    names = {name for name, _ in wanted}
    asks: dict[str, list[str]] = {}
    for gem in gems[:_SPECS_MAX]:
        for name in _required(root, gem):
            if name in names and name != gem.name:
                asks.setdefault(name, []).append(f"{gem.name} {gem.version}")
    for gem in reversed(wanted.values()):
        yield _library(root, gem, asks.get(gem.name, ()))


def _required(root: Root, gem: Gem) -> Iterator[str]:
    try:
        raw = root.read(gem.spec, _SPEC_MAX)
    except OSError:
        return
    for match in _REQUIRES.finditer(raw):
        yield match[1].decode("ascii")


def _library(root: Root, gem: Gem, by: Iterable[str]) -> Library:
    place = gem.path if root.is_dir(gem.path) else gem.spec
    required_by = tuple(dict.fromkeys(by))[:_REQUIRED_BY_MAX]
    return Library("gem", gem.name, gem.version, place, required_by)


def _entry_point(subject: Subject, gems: Iterable[Gem]) -> Optional[EntryPoint]:
    if subject.script:
        match = _IN_GEM.match(_real(subject))
        named = _named(match[2]) if match is not None else None
        if named is not None:
            return EntryPoint("gem", *named, subject.script)
        return _of_script(subject, gems)
    title = _TITLE.match(subject.args[0]) if subject.args else None
    if title is None:
        return None
    gem = next((gem for gem in gems if gem.name == title[1]), None)
    version = title[2] or (gem.version if gem is not None else "")
    return EntryPoint("gem", title[1], version, gem.path if gem is not None else subject.executable)


def _of_script(subject: Subject, gems: Iterable[Gem]) -> Optional[EntryPoint]:
    try:
        text = subject.root.read(subject.script, _SCRIPT_MAX)
    except OSError:
        return None
    match = _BIN.search(text)
    if match is None:
        return None
    name = (match[1] or match[2]).decode("ascii")
    version = next((gem.version for gem in gems if gem.name == name), "")
    return EntryPoint("gem", name, version, subject.script)


def _named(name: str) -> Optional[tuple[str, str]]:
    match = _GEM.fullmatch(name)
    return (match["name"], match["version"].removesuffix(".gemspec")) if match else None
