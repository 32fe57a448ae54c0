"""Words what was found of software in a few words: ``botocore 1.12.253 in /srv/app``."""

from __future__ import annotations

from typing import Union

from analyzer.software.found import EntryPoint, Library, Origin, Package, ScriptLine


def library(found: Union[Library, EntryPoint]) -> str:
    """Return a library or an application, its version and its place."""
    name = f"{found.name} {found.version}".rstrip()
    if isinstance(found, Library) and found.required_by:
        name += f" (for {', '.join(found.required_by)})"
    return f"{name} in {found.path}" if found.path else name


def package(found: Package) -> str:
    """Return a package and what it owns: ``curl 7.88.1 (dpkg) owns /usr/bin/curl``."""
    name = f"{found.name} {found.version}".rstrip()
    manager = f" ({found.manager})" if found.manager else ""
    return f"{name}{manager} owns {found.path}" if found.path else f"{name}{manager}"


def line(found: ScriptLine) -> str:
    """Return a script's line as ``file:line``, with its text."""
    place = f"{found.path}:{found.line}" if found.line else found.path
    return f"{place}: {found.text}" if found.text else place


def origin(found: Origin) -> str:
    """Return where a program is started."""
    place = f"{found.path}:{found.line}" if found.line else found.path
    name = f" {found.name}" if found.name else ""
    return f"{found.kind}{name} ({place})"
