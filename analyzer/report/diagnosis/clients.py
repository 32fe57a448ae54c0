"""Recognises clients by name, and knows since when each needs no v1.

They are data: ``clients.toml`` beside this file, and files of the user's in the same format,
whose entries come first.
"""

from __future__ import annotations

import fnmatch
import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from analyzer.config import toml
from analyzer.errors import ConfigError
from analyzer.logline.line import text_at, value_at
from analyzer.logline.named_caller import short
from analyzer.report.diagnosis.versions import maybe_version
from analyzer.report.findings import Group

BUILT_IN = Path(__file__).with_name("clients.toml")
SITE = Path("/etc/imds-analyzer/clients.toml")
# The file that is shipped has 20 KiB.
SIZE_MAX = 1 << 20
# What of a user agent is looked at; real ones are below 300 characters.
USER_AGENT_MAX = 1024

# ``program``: an agent or tool with a version of its own. ``sdk``: a library that others call.
# ``proxy``: forwards the calls of others. ``tool``: curl and the like, called by hand or by a
# script. ``library``: an HTTP library, which says nothing of who uses it.
KINDS = ("program", "sdk", "proxy", "tool", "library")

_STRINGS = ("name", "kind", "user_agent", "advice", "needs", "setting", "setting_since",
            "fallback_off", "fallback_off_since", "version_command")  # fmt: skip
_LISTS = ("program", "argument", "source")
_VERSIONS = ("needs", "setting_since", "fallback_off_since")
_REQUIRED = ("name", "kind", "source")


@dataclass(frozen=True)
class Client:
    """One entry; the fields are explained at the top of ``clients.toml``."""

    name: str
    kind: str
    user_agent: Optional[re.Pattern[str]] = None
    program: tuple[str, ...] = ()
    argument: tuple[str, ...] = ()
    needs: Optional[str] = None
    setting: Optional[str] = None
    setting_since: Optional[str] = None
    fallback_off: Optional[str] = None
    fallback_off_since: Optional[str] = None
    version_command: Optional[str] = None
    advice: Optional[str] = None
    source: tuple[str, ...] = ()

    def maybe_version(self, user_agent: Optional[str]) -> Optional[str]:
        """Return the version that a user agent states; None where it states none."""
        match = self._search(user_agent)
        if match is None or maybe_version(match.groupdict().get("version")) is None:
            return None
        return match["version"]

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


@dataclass(frozen=True)
class Recognition:
    """Who a group is. ``host`` is the program that ``client``, an SDK, was found in."""

    client: Client
    version: Optional[str] = None
    host: Optional[Client] = None


@dataclass(frozen=True)
class Clients:
    """All entries, in order of precedence."""

    entries: tuple[Client, ...]

    def maybe_recognise(self, group: Group) -> Optional[Recognition]:
        """Return who a group is, None where nobody known.

        A proxy is known by its program alone. Else a user agent with a product tells most: it
        has a version. Then the program; and last of all tools and HTTP libraries.
        """
        agent = group.key.user_agent
        names, args = _names(group), _args(group.example.get("process"))
        by_program = [each for each in self.entries if each.is_program(names, args)]
        by_agent = [each for each in self.entries if each.is_user_agent(agent)]
        for found in (
            [each for each in (*by_program, *by_agent) if each.kind == "proxy"],
            [each for each in by_agent if each.kind in ("program", "sdk")],
            [each for each in by_program if each.kind in ("program", "sdk")],
            by_agent,
            by_program,
        ):
            if found:
                first = found[0]
                hosts = [each for each in by_program if each.kind == "program"]
                host = hosts[0] if hosts and first.kind == "sdk" else None
                return Recognition(first, first.maybe_version(agent), host)
        return None


def load_clients(extra: Sequence[Path] = ()) -> Clients:
    """Return the entries of the files named, of the site's file, and the built-in ones.

    Raises ConfigError, which names the file, the entry and what is wrong with it.
    """
    site = (SITE,) if SITE.exists() else ()
    entries = [each for path in (*extra, *site, BUILT_IN) for each in _read(path)]
    return Clients(tuple(entries))


def _read(path: Path) -> Iterator[Client]:
    tables = toml.tables(path, _parse(path), "client", "clients")
    for number, table in enumerate(tables, 1):
        yield _client(table, f"{path}, entry {number} ({table.get('name', 'without a name')!r})")


def _parse(path: Path) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 (only the report reads such files)
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_MAX + 1)
        if len(raw) > SIZE_MAX:
            raise ConfigError(f"the clients {str(path)!r} are larger than {SIZE_MAX >> 20} MiB")
        document: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the clients {str(path)!r}: {error.strerror}. Name a file that this user"
            " may read."
        ) from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError, too
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    return document


def _client(table: Mapping[str, Any], place: str) -> Client:
    allowed = (*_STRINGS, *_LISTS)
    for key in table:
        if key not in allowed:
            raise ConfigError(f"{place}: there is no key {key!r}. Allowed are {', '.join(allowed)}")
    fields: dict[str, Any] = {
        key: _list(key, value, place) if key in _LISTS else _string(key, value, place)
        for key, value in table.items()
    }
    for is_fault, message in _FAULTS:
        if is_fault(fields):
            raise ConfigError(f"{place}: {message}")
    for key in _VERSIONS:
        if key in fields and maybe_version(fields[key]) is None:
            raise ConfigError(f"{place}: {key} = {fields[key]!r} is not a version, such as 1.13.25")
    if "user_agent" in fields:
        fields["user_agent"] = _pattern(fields["user_agent"], place)
    return Client(**fields)


_FAULTS: tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...] = (
    *((lambda fields, key=key: key not in fields, f"{key} is missing") for key in _REQUIRED),
    (lambda fields: fields["kind"] not in KINDS, f"kind must be one of {', '.join(KINDS)}"),
    (
        lambda fields: not fields.keys() & {"user_agent", "program", "argument"},
        "user_agent, program or argument must say how to recognise it",
    ),
    (
        lambda fields: ("setting_since" in fields) != ("setting" in fields),
        "setting and setting_since go together",
    ),
)


def _string(key: str, value: object, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{place}: {key} must be a text in quotes, and not empty")
    return value


def _list(key: str, value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ConfigError(f'{place}: {key} must be a list, such as ["..."], and not empty')
    return tuple(_string(key, each, place) for each in value)


def _pattern(text: str, place: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"{place}: user_agent is not a regular expression: {error}") from None


def _is_like(texts: Sequence[str], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return False
    match = _matcher(patterns)
    return any(match(text) for text in texts)


@functools.lru_cache(maxsize=1024)  # one for each entry; a report asks for each of its callers
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], Optional[re.Match[str]]]:
    return re.compile("|".join(fnmatch.translate(each) for each in patterns)).match


def _names(group: Group) -> tuple[str, ...]:
    """Return what a group's program and its launcher are called, and the program's executable.

    The recorder names most programs without a path. Patterns have one: it is looked for in the
    example.
    """
    process = group.example.get("process")
    named = [name for name in (group.key.program, group.key.launcher) if name is not None]
    last_parts = {short(name) for name in named}
    found = value_at(process, "ancestors")
    ancestors = found if isinstance(found, list) else []
    paths = [
        text
        for each in (process, *ancestors)
        for text in (text_at(each, "executable"), *_args(each))
        if text.startswith("/") and short(text) in last_parts
    ]
    rootless = [f"/{name}" for name in last_parts if not name.startswith("/")]
    return (*named, text_at(process, "executable"), *paths, *sorted(rootless))


def _args(process: object) -> tuple[str, ...]:
    args = value_at(process, "args")
    return tuple(each for each in args if isinstance(each, str)) if isinstance(args, list) else ()
