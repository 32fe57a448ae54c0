"""Describes one client: how it is recognised, and what is known of it."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from analyzer.clients.versions import maybe_version

# What of a user agent is looked at; real ones are below 300 characters.
USER_AGENT_MAX = 1024

# ``program``: an agent or tool with a version of its own. ``sdk``: a library that others call.
# ``proxy``: forwards the calls of others. ``tool``: curl and the like, called by hand or by a
# script. ``library``: an HTTP library, which says nothing of who uses it.
KINDS = ("program", "sdk", "proxy", "tool", "library")

# Ecosystems of libraries, each with the way in which its names are compared.
_WRITTEN: dict[str, Callable[[str], str]] = {
    "maven": str,  # group:artifact
    "pypi": lambda name: re.sub(r"[-_.]+", "-", name).lower(),  # as the index does
    "npm": str,
    "gem": str,
    "composer": str.lower,
    "nuget": str.lower,
    "go": str,  # a module's path
    "cargo": lambda name: name.replace("_", "-"),
    "cpan": lambda name: name.replace("::", "-"),  # a distribution, or its main module
}
ECOSYSTEMS = tuple(_WRITTEN)


@dataclass(frozen=True)
class Client:
    """One entry; the fields are explained at the top of ``clients.toml``."""

    name: str
    kind: str
    user_agent: Optional[re.Pattern[str]] = None
    program: tuple[str, ...] = ()
    argument: tuple[str, ...] = ()
    library: tuple[str, ...] = ()
    package: tuple[str, ...] = ()
    needs: Optional[str] = None
    setting: Optional[str] = None
    setting_since: Optional[str] = None
    fallback_off: Optional[str] = None
    fallback_off_since: Optional[str] = None
    version_command: Optional[str] = None
    advice: Optional[str] = None
    source: tuple[str, ...] = ()
    checked: Optional[str] = None  # YYYY-MM-DD

    def maybe_version(self, user_agent: Optional[str]) -> Optional[str]:
        """Return the version that a user agent states; None where it states none."""
        match = self._search(user_agent)
        if match is None or maybe_version(match.groupdict().get("version")) is None:
            return None
        return match["version"]

    def maybe_is_below(self, version: Optional[str]) -> Optional[bool]:
        """Tell whether a version still needs v1; None where that is unknown.

        Without ``needs``, no version that needs no v1 is known: then each does.
        """
        found = maybe_version(version)
        if found is None:
            return None
        threshold = maybe_version(self.needs)
        return threshold is None or found < threshold

    def is_user_agent(self, user_agent: Optional[str]) -> bool:
        """Tell whether a user agent is this client's."""
        return self._search(user_agent) is not None

    def is_program(self, names: Sequence[str], args: Sequence[str]) -> bool:
        """Tell whether one of a program's names, or of its arguments, is this client's."""
        return _is_like(names, self.program) or _is_like(args, self.argument)

    def _search(self, user_agent: Optional[str]) -> Optional[re.Match[str]]:
        if self.user_agent is None or not user_agent:
            return None
        return self.user_agent.search(user_agent[:USER_AGENT_MAX])


def library_key(ecosystem: str, name: str) -> Optional[str]:
    """Return a library's name in one form for all its spellings; None in no known ecosystem."""
    written = _WRITTEN.get(ecosystem)
    return None if written is None or not name else f"{ecosystem}:{written(name)}"


def _is_like(texts: Sequence[str], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return False
    match = _matcher(patterns)
    return any(match(text) for text in texts)


@functools.lru_cache(maxsize=1024)  # one for each entry; a report asks for each of its callers
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], Optional[re.Match[str]]]:
    return re.compile("|".join(fnmatch.translate(each) for each in patterns)).match
