"""Reads the declared fields: of each object its members, with their types and facts.

The JSON Schema, docs/log-format.md and the columns of a report are made from what this returns.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple, Optional, get_args, get_origin, get_type_hints

from analyzer.logline.envelope import Head, Tail
from analyzer.logline.events import EVENTS
from analyzer.logline.facts import Fact
from analyzer.logline.own_fields import FIELDS_OF

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", object: "any"}


class Kind(NamedTuple):
    """A JSON type; ``of`` is that of a list's items, ``declared`` the class of an object."""

    name: str
    of: Optional[Kind] = None
    declared: Optional[type] = None


class Field(NamedTuple):
    """A member of an object."""

    name: str
    kind: Kind
    fact: Fact


@functools.cache
def fields_of(declared: type) -> tuple[Field, ...]:
    """Return the members that a class declares, in their order."""
    hints = get_type_hints(declared, include_extras=True)
    return tuple(_field(name, hint) for name, hint in hints.items())


def fields_of_line(event: str) -> tuple[Field, ...]:
    """Return the members of an event's line, from its head to its tail."""
    return (*fields_of(Head), *fields_of(FIELDS_OF[event]), *fields_of(Tail))


def paths_of_line(event: str) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield each field of an event's line with its path of names, lists passed through."""
    for field in fields_of_line(event):
        yield from _paths((), field)


@functools.cache
def kinds_by_path() -> dict[tuple[str, ...], Kind]:
    """Return the type of each field of any line; it has one in all events."""
    return {path: field.kind for event in EVENTS for path, field in paths_of_line(event)}


def _paths(before: tuple[str, ...], field: Field) -> Iterator[tuple[tuple[str, ...], Field]]:
    path = (*before, field.name)
    yield path, field
    kind = field.kind.of or field.kind
    if kind.declared is not None:
        for member in fields_of(kind.declared):
            yield from _paths(path, member)


def _field(name: str, hint: Any) -> Field:  # noqa: ANN401 (an annotation)
    if get_origin(hint) is not Annotated:
        raise TypeError(f"{name} is declared without its meaning")
    plain, fact = get_args(hint)
    return Field(name, _kind(plain), fact)


def _kind(plain: Any) -> Kind:  # noqa: ANN401 (an annotation)
    if plain in _TYPES:
        return Kind(_TYPES[plain])
    if get_origin(plain) in (list, Sequence):
        return Kind("array", of=_kind(get_args(plain)[0]))
    if get_origin(plain) is dict:
        return Kind("object")
    return Kind("object", declared=plain)
