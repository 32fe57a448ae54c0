"""Names the application that a Python process runs: a console script, a module, a title."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Optional

from analyzer.software.found import EntryPoint
from analyzer.software.python.dists import Dist, Site, normalised
from analyzer.software.subject import Subject

_SCRIPT_MAX = 4096
_POINTS_MAX = 16384
_SEARCHED_MAX = 256  # lists of entry points that are read for a script of another name

# What pip, setuptools and buildout write into a script of theirs.
_LOADED = re.compile(rb"""load_entry_point\(\s*['"]([\w.-]+)|EASY-INSTALL-[A-Z-]+: ['"]([\w.-]+)""")
_IMPORTED = re.compile(rb"^[ \t]*(?:from|import) ([A-Za-z_]\w*)", re.MULTILINE)
_DJANGO = b"django.core.management"
# Modules that a distribution of another name brings.
_DISTRIBUTIONS = {
    "airflow": ("apache-airflow", "apache-airflow-core"),
    "ansible": ("ansible-core", "ansible-base", "ansible"),
    "superset": ("apache-superset",),
    "dagster_webserver": ("dagster-webserver",),
    "IPython": ("ipython",),
    "prefect": ("prefect",),
    "uwsgi": ("uwsgi", "pyuwsgi"),
}
# Titles that programs give themselves in place of their arguments (setproctitle).
_TITLE = re.compile(
    r"\[?(?P<name>gunicorn|celery|airflow|salt-\w+|uwsgi|supervisord|pgadmin4|dramatiq|rq)\b"
    r"[:\s\w-]*"
)
_TITLES = {"celeryd": "celery", "airflow": "apache-airflow"}
_FLAG_M = re.compile(r"-[bBdEhiIOPqRsSuvVx]*m(.+)?")


def entry_points(subject: Subject, sites: Iterable[Site]) -> Iterator[EntryPoint]:
    """Yield the application, once. Raises Spent."""
    known = list(sites)
    for dist, site, path in (
        _of_script(subject, known)
        or _of_module(subject, known)
        or _of_title(subject, known)
    ):  # fmt: skip
        yield EntryPoint("pypi", dist.key, dist.version, path or site.place_of(dist))


Named = list[tuple[Dist, Site, str]]


def _of_script(subject: Subject, sites: list[Site]) -> Named:
    script = subject.script
    if not script:
        name = posixpath.basename(subject.executable)
        # A program that has Python within, such as uwsgi.
        return _found(sites, _DISTRIBUTIONS.get(name, ()), subject.executable)
    try:
        text = subject.root.read(script, _SCRIPT_MAX)
    except OSError:
        text = b""
    if _DJANGO in text:
        return _found(sites, ("django",), script)
    name = posixpath.basename(script)
    for match in _LOADED.finditer(text):
        found = _found(sites, (_text(match[1] or match[2]),), script)
        if found:
            return found
    if b"sys.exit(" not in text or b"__main__" not in text:
        return []  # not what an installer writes
    modules = [_text(match[1]) for match in _IMPORTED.finditer(text)]
    for module in modules:
        found = _found(sites, (*_DISTRIBUTIONS.get(module, ()), module), script)
        if found:
            return found
    return _searched(sites, name, script)


def _of_module(subject: Subject, sites: list[Site]) -> Named:
    module = ""
    for word, behind in zip(subject.args[1:], (*subject.args[2:], "")):
        match = _FLAG_M.fullmatch(word)
        if match is not None:
            module = match[1] or behind
            break
        if not word.startswith("-"):
            break
    top = module.partition(".")[0]
    return _found(sites, (*_DISTRIBUTIONS.get(top, ()), top), "") if top else []


def _of_title(subject: Subject, sites: list[Site]) -> Named:
    match = _TITLE.match(subject.args[0]) if subject.args else None
    if match is None or "/" in match[0]:
        return []
    name = _TITLES.get(match["name"], match["name"].partition("-")[0])
    return _found(sites, (name,), "")


def _found(sites: Iterable[Site], names: Iterable[str], path: str) -> Named:
    keys = [normalised(name) for name in names]
    for site in sites:
        for key in keys:
            dist = site.dists.get(key)
            if dist is not None:
                return [(dist, site, path)]
    return []


def _searched(sites: Iterable[Site], name: str, path: str) -> Named:
    """Look through the lists of entry points for a script's name."""
    line = re.compile(
        rb"^" + re.escape(name.encode("utf-8", "replace")) + rb"[ \t]*=", re.MULTILINE
    )
    left = _SEARCHED_MAX
    for site in sites:
        for dist in site.dists.values():
            left -= 1
            if left < 0:
                return []
            if line.search(_points(site, dist) or b""):
                return [(dist, site, path)]
    return []


def _points(site: Site, dist: Dist) -> Optional[bytes]:
    try:
        return site.folder.read(dist.files[1], _POINTS_MAX)
    except OSError:
        return None


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace")
