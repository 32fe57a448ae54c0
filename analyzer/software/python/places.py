"""Finds the folders from which a Python process imports, in the order of its `sys.path`.

The log names the resolved binary. Of a virtual environment that is the system's, so the environment
is found by what else the process shows: its first argument, its script, what it has mapped.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software.root import Root, parents
from analyzer.software.subject import Subject

_CONFIG = "pyvenv.cfg"
_CONFIG_MAX = 4096
_SHEBANG_MAX = 256
_UP_MAX = 16  # folders above a script
_OPEN_MAX = 8  # folders that mapped files tell
_LINKS_MAX, _LINK_MAX, _LINES_MAX = 16, 16384, 32  # of `.pth` files
_SITE = re.compile(r"(.*?/(?:site|dist)-packages)/")
_LIBRARY = re.compile(r".*/(lib(?:64)?/(?:python|pypy)\d[\d.]*)/")
_MEI = re.compile(r"(.*/_MEI\w+)/")  # where PyInstaller unpacks
_VERSION = re.compile(r"(?:lib)?(python|pypy)(\d[\d.]*\d|\d)")
# Where a project keeps its environment.
_VENVS = ("venv", ".venv", "env", "virtualenv")
# uwsgi and mod_wsgi are told of it.
_HOME_OPTIONS = frozenset({"-H", "--home", "--virtualenv", "--venv", "--pyhome", "--python-home"})
_BIN = ("bin", "Scripts")


class Environment(NamedTuple):
    """A virtual environment. ``home`` is the folder of the interpreter that it was made with."""

    prefix: str
    home: str
    with_system: bool


def is_python(subject: Subject) -> bool:
    """Tell whether a process runs Python, itself or as a library."""
    names = [subject.executable, *subject.args[:1]]
    if any(_VERSION.match(posixpath.basename(name)) or "python" in name for name in names):
        return True
    return any("libpython" in path or _SITE.match(path) for path in subject.open_files)


def folders(subject: Subject) -> Iterator[str]:
    """Yield the folders, nearest first, some of which may not be there. Raises Spent."""
    yield from dict.fromkeys(_with_links(subject.root, _folders(subject)))


def _folders(subject: Subject) -> Iterator[str]:
    root = subject.root
    if subject.script:
        yield from _of_script(root, subject.script)
    elif subject.args[1:2] and subject.args[1].startswith("-"):
        yield subject.cwd  # a module's or the code's own folder
    venv = environment(subject)
    if venv is not None:
        yield from _sites(root, venv.prefix, subject)
    if venv is None or venv.with_system:
        if subject.home:
            yield from _sites(root, f"{subject.home}/.local", subject)
        yield from _of_open_files(subject)
        yield from _of_prefix(root, _base(subject, venv), subject)
    else:
        yield from _of_open_files(subject)


def environment(subject: Subject) -> Optional[Environment]:
    """Return the virtual environment that a process runs in, None for none."""
    for prefix in dict.fromkeys(_prefixes(subject)):
        found = maybe_environment(subject.root, prefix)
        if found is not None:
            return found
    return _beside_script(subject)


def maybe_environment(root: Root, prefix: str) -> Optional[Environment]:
    """Read a virtual environment's own file; None if there is none."""
    try:
        text = root.read(posixpath.join(prefix, _CONFIG), _CONFIG_MAX).decode("utf-8", "replace")
    except OSError:
        return None
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    keys = {key.strip().lower(): value.strip() for key, value in said.items()}
    is_shared = keys.get("include-system-site-packages", "").lower() == "true"
    return Environment(prefix, keys.get("home", ""), is_shared)


def _prefixes(subject: Subject) -> Iterator[str]:
    programs = [subject.args[0]] if subject.args and "/" in subject.args[0] else []
    programs += [subject.script, subject.executable]
    if subject.script:
        programs.insert(1, _shebang(subject.root, subject.script))
    for program in filter(None, programs):
        folder = posixpath.dirname(posixpath.join(subject.cwd, program))
        # The file may stand beside the interpreter, too (getpath).
        yield posixpath.normpath(posixpath.dirname(folder))
        if posixpath.basename(folder) in _BIN:
            yield posixpath.normpath(folder)
    for option, value in zip(subject.args, subject.args[1:]):
        name, _, told = option.partition("=")
        if name in _HOME_OPTIONS:
            yield posixpath.join(subject.cwd, told or value)
    for path in subject.open_files:
        match = _LIBRARY.match(path) if _SITE.match(path) else None
        if match is not None:
            yield path[: match.start(1)].rstrip("/")


def _beside_script(subject: Subject) -> Optional[Environment]:
    """Return an environment that stands beside the script and has the same interpreter.

    ``python main.py`` in an activated environment names no folder.
    """
    if subject.args and "/" in subject.args[0]:
        return None
    start = subject.script or posixpath.join(subject.cwd, "-")
    for folder, _ in zip(parents(start), range(_UP_MAX)):
        for name in _VENVS:
            found = maybe_environment(subject.root, posixpath.join(folder, name))
            if found is not None and _has_interpreter(subject, found):
                return found
    return None


def _has_interpreter(subject: Subject, venv: Environment) -> bool:
    name = posixpath.basename(subject.args[0]) if subject.args else "python"
    try:
        return subject.root.real(f"{venv.prefix}/bin/{name}") == subject.executable
    except OSError:
        return False


def _shebang(root: Root, script: str) -> str:
    """Return the interpreter that a script's first line names, "" for none."""
    try:
        line = root.read(script, _SHEBANG_MAX).partition(b"\n")[0]
    except OSError:
        return ""
    words = line[2:].split() if line.startswith(b"#!") else []
    return words[0].decode("utf-8", "surrogateescape") if words else ""


def _of_script(root: Root, script: str) -> Iterator[str]:
    """Yield what a script's own place brings: its folder, and what a pex brings along."""
    folder = script if root.is_dir(script) else posixpath.dirname(script)
    if posixpath.basename(folder) not in _BIN:
        yield folder
    try:
        names = root.names(f"{folder}/.deps")
    except OSError:
        return
    for name in names[:1024]:
        yield f"{folder}/.deps/{name}"


def _of_open_files(subject: Subject) -> Iterator[str]:
    found: dict[str, None] = {}
    for path in subject.open_files:
        match = _SITE.match(path) or _MEI.match(path)
        if match is not None:
            found.setdefault(match[1])
    yield from list(found)[:_OPEN_MAX]
    frozen = posixpath.dirname(subject.executable)
    for folder in (f"{frozen}/_internal", frozen):
        if subject.root.is_file(f"{folder}/base_library.zip"):
            yield folder


def _base(subject: Subject, venv: Optional[Environment]) -> str:
    """Return the prefix of the interpreter's own installation, as getpath finds it."""
    home = venv.home if venv is not None and venv.home else posixpath.dirname(subject.executable)
    if posixpath.basename(home) in _BIN:
        return posixpath.dirname(home)
    return home


def _versions(subject: Subject) -> Iterator[str]:
    """Yield what the library's folder may be called: python3.11, python3, pypy3.9."""
    names = [posixpath.basename(subject.executable)]
    for path in subject.open_files:
        match = _LIBRARY.match(path)
        names.append(posixpath.basename(match[1] if match else path))
    for name in names:
        match = _VERSION.match(name)
        if match is not None:
            yield match[1] + match[2]


def _sites(root: Root, prefix: str, subject: Subject) -> Iterator[str]:
    """Yield the site-packages below a prefix; of other versions only if there is no own one."""
    own = frozenset(_versions(subject))
    for library in ("lib", "lib64"):
        try:
            names = root.names(f"{prefix}/{library}")
        except OSError:
            continue
        matching = [name for name in names if _VERSION.fullmatch(name)]
        for name in [name for name in matching if name in own] or matching[:4]:
            yield f"{prefix}/{library}/{name}/site-packages"
    yield f"{prefix}/site-packages"  # of an old PyPy


def _of_prefix(root: Root, prefix: str, subject: Subject) -> Iterator[str]:
    """Yield an installation's own folders, Debian's among them."""
    if prefix in ("/usr", ""):
        # Debian's Python and PyPy look in these, others' do not have them.
        yield from (each.replace("site-", "dist-") for each in _sites(root, "/usr/local", subject))
        yield from _sites(root, "/usr/local", subject)
        yield "/usr/lib/python3/dist-packages"
        prefix = "/usr"
    yield from _sites(root, prefix, subject)
    yield from (each.replace("site-", "dist-") for each in _sites(root, prefix, subject))


def _with_links(root: Root, sites: Iterable[str]) -> Iterator[str]:
    """Yield each folder, and behind it those that its `.pth` files name, one level deep."""
    for site in sites:
        yield site
        try:
            links = [name for name in root.names(site) if name.endswith(".pth")]
        except OSError:
            continue
        for name in links[:_LINKS_MAX]:
            yield from _linked(root, site, name)


def _linked(root: Root, site: str, name: str) -> Iterator[str]:
    try:
        raw = root.read(f"{site}/{name}", _LINK_MAX)
    except OSError:
        return
    for line in raw.decode("utf-8", "surrogateescape").splitlines()[:_LINES_MAX]:
        path = line.strip()
        # Others are code, which is not run here, or comments.
        if path and not path.startswith(("import ", "import\t", "#")):
            yield posixpath.normpath(posixpath.join(site, path))
