"""Finds the modules that a Perl process can load, by the files in the folders of its `@INC`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from analyzer.software.found import Found, Library
from analyzer.software.root import Root, parents
from analyzer.software.subject import Subject
from analyzer.software.wanted import CPAN

_TEXT_MAX = 65536  # the version stands behind the documentation in some
_NAMES_MAX = 64
_FOLDERS_MAX = 64

_PERL = re.compile(r"perl[\d.]*")
_VERSION = re.compile(
    rb"""^[ \t]*(?:our[ \t]+|use vars[^;]*;[ \t]*)?\$(?:[\w:]+::)?VERSION[ \t]*=[ \t]*"""
    rb"""['"]?v?([\d._]{1,32})""",
    re.MULTILINE,
)
_PACKAGE = re.compile(rb"^[ \t]*package[ \t]+[\w:]+[ \t]+v?([\d._]{1,32})[ \t]*[;{]", re.MULTILINE)
_USE_LIB = re.compile(
    rb"""^[ \t]*use[ \t]+lib[ \t]+(?:qw[ \t]*[(/]|['"])([^'"()\n]{1,256})""", re.MULTILINE
)
_BIN = re.compile(r"\$(?:FindBin::)?(?:Real)?Bin|\$RealBin")
_NUMBERED = re.compile(r"5(?:\.\d+){0,2}|(?:site|vendor)_perl|perl5?|core_perl|[\w]+-linux[\w-]*")
# Folders of systems and of perlbrew, each with folders of versions and machines below.
_SYSTEM = (
    "/etc/perl",
    "/usr/local/lib/site_perl",
    "/usr/local/share/perl",
    "/usr/local/share/perl5",
    "/usr/local/lib64/perl5",
    "/usr/share/perl5",
    "/usr/lib64/perl5",
    "/usr/lib/perl5",
    "/usr/lib/x86_64-linux-gnu/perl5",
    "/usr/lib/aarch64-linux-gnu/perl5",
    "/usr/local/lib/x86_64-linux-gnu/perl",
    "/usr/local/lib/aarch64-linux-gnu/perl",
)
_MODULES = {f"/{file}": module for module, file in CPAN.items()}


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the wanted modules, of each the one that is found first."""
    names = [posixpath.basename(word) for word in (subject.executable, *subject.args[:1])]
    if not any(map(_PERL.fullmatch, names)) and not any(
        "/libperl" in path for path in subject.open_files
    ):
        return
    left = _named(subject) or dict(CPAN)
    for folder, _ in zip(dict.fromkeys(_folders(subject)), range(_FOLDERS_MAX)):
        if not subject.root.is_dir(folder):
            continue
        for module, file in list(left.items()):
            path = posixpath.join(folder, file)
            if subject.root.is_file(path):
                del left[module]
                yield _library(subject.root, module, path)


def _named(subject: Subject) -> dict[str, str]:
    """Return the wanted modules that the script itself names; all share the system's folders."""
    text = _text(subject.root, subject.script) if subject.script else b""
    return {
        module: file
        for module, file in CPAN.items()
        if re.search(rb"\b(?:use|require)[ \t]+%s\b" % module.encode(), text)
    }


def is_wanted(path: str) -> bool:
    """Tell whether a file is a wanted module."""
    return path.endswith(".pm") and _module(path) != ""


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the module with its version."""
    module = _module(path)
    if module:
        yield _library(root, module, path)


def _module(path: str) -> str:
    return next((name for end, name in _MODULES.items() if path.endswith(end)), "")


def _library(root: Root, module: str, path: str) -> Library:
    text = _text(root, path)
    match = _VERSION.search(text) or _PACKAGE.search(text)
    return Library("cpan", module, match[1].decode("ascii") if match else "", path)


def _text(root: Root, path: str) -> bytes:
    try:
        return root.read(path, _TEXT_MAX)
    except OSError:
        return b""


def _folders(subject: Subject) -> Iterator[str]:
    """Yield the folders of `@INC`: named ones, the script's own, the user's, the interpreter's."""
    for option, value in zip(subject.args, (*subject.args[1:], "")):
        if option.startswith("-I"):
            yield posixpath.join(subject.cwd, option[2:] or value)
    if subject.script:
        yield from _of_script(subject)
    if subject.home:
        yield from _tree(subject.root, f"{subject.home}/perl5/lib/perl5")
    for path in subject.open_files:
        before, found, _ = path.partition("/auto/")
        if found and "perl" in before:
            yield before
    prefix = posixpath.dirname(posixpath.dirname(subject.executable))
    if prefix.rstrip("/") not in ("/usr", ""):
        yield from _tree(subject.root, f"{prefix}/lib")
        yield from _tree(subject.root, f"{prefix}/lib/perl5")
        return
    for folder in _SYSTEM:
        yield from _tree(subject.root, folder)


def _of_script(subject: Subject) -> Iterator[str]:
    folder = posixpath.dirname(subject.script)
    text = _text(subject.root, subject.script)
    for match in _USE_LIB.finditer(text):
        for word in match[1].decode("utf-8", "replace").split():
            yield posixpath.normpath(posixpath.join(folder, _BIN.sub(lambda _: folder, word)))
    yield folder
    yield f"{folder}/lib"
    for parent, _ in zip(parents(folder), range(3)):
        yield posixpath.join(parent, "lib")
        yield posixpath.join(parent, "lib/perl5")
        yield posixpath.join(parent, "local/lib/perl5")  # Carton's


def _tree(root: Root, folder: str) -> Iterator[str]:
    """Yield a folder, and those of versions and machines below it, two levels."""
    yield folder
    for name in _numbered(root, folder):
        yield f"{folder}/{name}"
        yield from (f"{folder}/{name}/{below}" for below in _numbered(root, f"{folder}/{name}"))


def _numbered(root: Root, folder: str) -> list[str]:
    try:
        return [name for name in root.names(folder) if _NUMBERED.fullmatch(name)][:_NAMES_MAX]
    except OSError:
        return []
