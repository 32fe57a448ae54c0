"""Reads entries from TOML: ``clients.toml`` beside this file, the site's, and files of the user's.

Those of the user's come first. Every fault is told with its place and what to do.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from analyzer.clients.entry import ECOSYSTEMS, KINDS, Client, library_key
from analyzer.clients.places import Places
from analyzer.clients.table import Clients
from analyzer.clients.versions import maybe_version
from analyzer.config import toml
from analyzer.errors import ConfigError
from analyzer.text import visible

BUILT_IN = Path(__file__).with_name("clients.toml")
SITE = Path("/etc/imds-analyzer/clients.toml")

_STRINGS = ("name", "kind", "user_agent", "advice", "needs", "setting", "setting_since",
            "fallback_off", "fallback_off_since", "version_command", "checked")  # fmt: skip
_LISTS = ("program", "argument", "library", "package", "source")
_KEYS = (*_STRINGS, *_LISTS)
_REQUIRED = ("name", "kind", "source")
_RECOGNISED_BY = ("user_agent", "program", "argument", "library", "package")
# No user agent, program or argument is like this: a pattern that fits it fits everything.
_NOBODY = "\x00"


class Fault(NamedTuple):
    """One fault in a file of clients. ``line`` is None where it cannot be told."""

    path: str
    line: Optional[int]
    entry: str
    message: str

    def __str__(self) -> str:
        """Return all of it in one line."""
        where = self.path if self.line is None else f"{self.path}, line {self.line}"
        return f"{where}, {self.entry}: {self.message}"


def load_clients(extra: Sequence[Path] = ()) -> Clients:
    """Return the entries of the files named, of the site's file, and the built-in ones.

    Raises ConfigError, which names each fault, its file and its entry.
    """
    site = (SITE,) if SITE.exists() else ()
    entries: list[Client] = []
    for path in (*extra, *site):
        entries += _entries(path)
    return Clients((*entries, *_built_in()))


@functools.lru_cache(maxsize=1)  # it does not change while the program runs
def _built_in() -> tuple[Client, ...]:
    return _entries(BUILT_IN)


def _entries(path: Path) -> tuple[Client, ...]:
    found, faults = read_entries(path)
    if faults:
        raise ConfigError("\n".join(map(str, faults)))
    return found


def read_entries(path: Path) -> tuple[tuple[Client, ...], tuple[Fault, ...]]:
    """Return a file's entries that are right, and the faults of the others.

    Raises ConfigError if the file cannot be read, or is not TOML.
    """
    text = toml.read(str(path), "the clients", "leave it out")
    tables = toml.tables(path, toml.parse(str(path), text), "client", "clients")
    places = Places(text, "client", len(tables))
    entries: list[Client] = []
    faults: list[Fault] = []
    former: dict[str, int] = {}
    for number, table in enumerate(tables, 1):
        found = tuple(_faults(table, former))
        name = table.get("name")
        if isinstance(name, str):
            former.setdefault(name, number)
        entry = f"entry {number} ({visible(name)!r})" if isinstance(name, str) else (
            f"entry {number} ('without a name')"
        )  # fmt: skip
        faults += [Fault(str(path), places.line(number, key), entry, what) for key, what in found]
        if not found:
            entries.append(_client(table))
    return tuple(entries), tuple(faults)


def _client(table: Mapping[str, Any]) -> Client:
    """Return the entry of a table without faults."""
    fields: dict[str, Any] = {
        key: tuple(value) if key in _LISTS else value for key, value in table.items()
    }
    if "user_agent" in fields:
        fields["user_agent"] = re.compile(fields["user_agent"], re.IGNORECASE)
    return Client(**fields)


def _faults(table: Mapping[str, Any], former: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield each fault of a table: its key, and what to do. ``former`` are earlier names."""
    good: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            yield key, f"there is no key {visible(key)!r}. Allowed are {', '.join(_KEYS)}"
        elif (fault := _fault_of_form(key, value) or _fault_of_value(key, value)) is not None:
            yield key, fault
        else:
            good[key] = value
    for is_fault, key, message in _TOGETHER:
        if is_fault(table):
            yield key, message
    if good.get("name") in former:
        number = former[good["name"]]
        yield "name", f"entry {number} has this name, too: rename one, or remove it"


# Rules on the keys of a table: what is wrong, at which key, and what to do.
_TOGETHER: tuple[tuple[Callable[[Mapping[str, Any]], bool], str, str], ...] = (
    *((lambda table, key=key: key not in table, key, f"{key} is missing") for key in _REQUIRED),
    (
        lambda table: not table.keys() & set(_RECOGNISED_BY),
        "name",
        "user_agent, program, argument, library or package must say how to recognise it",
    ),
    (
        lambda table: ("setting_since" in table) != ("setting" in table),
        "setting",
        "setting and setting_since go together",
    ),
)


def _fault_of_form(key: str, value: object) -> Optional[str]:
    if key in _STRINGS:
        return None if _is_text(value) else f"{key} must be a text in quotes, and not empty"
    if not isinstance(value, list) or not value:
        return f'{key} must be a list, such as ["..."], and not empty'
    if not all(_is_text(each) for each in value):
        return f"{key} must hold texts in quotes, and no empty one"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _fault_of_value(key: str, value: object) -> Optional[str]:
    if key not in _CHECKS:
        return None
    texts: list[Any] = value if isinstance(value, list) else [value]
    return next((fault for each in texts if (fault := _CHECKS[key](key, each)) is not None), None)


def _fault_of_kind(_key: str, text: str) -> Optional[str]:
    return None if text in KINDS else f"kind must be one of {', '.join(KINDS)}"


def _fault_of_version(key: str, text: str) -> Optional[str]:
    if maybe_version(text) is not None:
        return None
    return f"{key} = {visible(text)!r} is not a version, such as 1.13.25"


def _fault_of_date(key: str, text: str) -> Optional[str]:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return f"{key} = {visible(text)!r} is not a day, such as 2026-11-30"
    return None


def _fault_of_expression(_key: str, text: str) -> Optional[str]:
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        return f"user_agent is not a regular expression: {error}"
    if pattern.search(_NOBODY):
        return "user_agent fits every user agent: name the product in it"
    return None


def _fault_of_pattern(key: str, text: str) -> Optional[str]:
    if text.strip("*/?"):
        return None
    return f"{key} = {visible(text)!r} fits everything: name the program in it"


def _fault_of_library(_key: str, text: str) -> Optional[str]:
    ecosystem, _, name = text.partition(":")
    if library_key(ecosystem, name) is not None:
        return None
    return (
        f"library = {visible(text)!r} must be ECOSYSTEM:NAME, such as pypi:botocore. Ecosystems"
        f" are {', '.join(ECOSYSTEMS)}"
    )


_CHECKS: Mapping[str, Callable[[str, str], Optional[str]]] = {
    "kind": _fault_of_kind,
    "user_agent": _fault_of_expression,
    "program": _fault_of_pattern,
    "argument": _fault_of_pattern,
    "library": _fault_of_library,
    "needs": _fault_of_version,
    "setting_since": _fault_of_version,
    "fallback_off_since": _fault_of_version,
    "checked": _fault_of_date,
}
