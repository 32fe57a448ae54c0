"""Writes the tables of docs/log-format.md from the declared fields: ``make schema``.

What stands between two marks is written; all else in the file is a person's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from analyzer.logline.callers import Relative
from analyzer.logline.described import Field, Kind, fields_of, fields_of_line
from analyzer.logline.envelope import Head, Tail
from analyzer.logline.events import EVENTS, REQUEST
from analyzer.logline.fields import REASONS, Request
from analyzer.logline.own_fields import FIELDS_OF

DOCUMENT = Path(__file__).parents[1] / "docs" / "log-format.md"
GOLDENS = Path(__file__).parent / "golden"
# Lists of processes, of which the members stand in a table of their own.
_RELATIVES = ("process.ancestors", "process.others")
_COLUMNS = ("field", "type", "meaning, values", "left out")
_BLOCK = re.compile(r"(<!-- (\S+): written by `make schema` -->\n).*?(<!-- end -->)", re.DOTALL)


def written(document: str) -> str:
    """Return the document with each block as it has to be."""
    return _BLOCK.sub(lambda match: f"{match[1]}{_block(match[2])}{match[3]}", document)


def _block(name: str) -> str:
    kind, _, what = name.partition("/")
    if kind == "golden":
        return _example(GOLDENS / what)
    return "".join(f"{line}\n" for line in _TABLES[name]())


def _example(path: Path) -> str:
    """Return a golden line, each of its members on a line of its own."""
    line = json.loads(path.read_text("utf-8"))
    members = (
        f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in line.items()
    )
    return "```json\n{" + ",\n".join(members).lstrip() + "}\n```\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(each.replace('|', chr(92) + '|') for each in row)} |"


def _fields(
    fields: Iterable[Field], before: str = "", holder_absent: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each field: name, type, values, when it is left out.

    Objects have none: what they hold says when it is left out with them.
    """
    for field in fields:
        name = f"{before}{field.name}"
        absent = field.fact.absent or holder_absent
        inner = field.kind.of or field.kind
        if inner.declared is None or field.kind.of is not None:
            yield f"`{name}`", _type(field.kind), _values(field), absent or "never"
        if inner.declared is not None and name not in _RELATIVES:
            members = fields_of(inner.declared)
            if field.kind.of is not None:
                yield from _fields(members, f"{name}[].")
            else:
                yield from _fields(members, f"{name}.", absent)


def _values(field: Field) -> str:
    rule = field.fact.rule
    values = rule.get("enum")
    items = rule.get("items")
    if values is None and isinstance(items, dict):
        values = items.get("enum")
    meaning = field.fact.meaning
    if not isinstance(values, list) or field.name == "reason" or values == [True]:
        return meaning
    unsaid = [f"`{each}`" for each in values if f"`{each}`" not in meaning]
    return f"{meaning} {', '.join(unsaid)}." if unsaid else meaning


def _type(kind: Kind) -> str:
    if kind.of is None:
        return kind.name
    return f"list of {_type(kind.of)}s" if kind.of.of is None else f"list of {_plural(kind.of)}"


def _plural(kind: Kind) -> str:
    return _type(kind).replace("list", "lists", 1)


def _requests() -> Iterator[str]:
    return _table(
        _COLUMNS,
        _fields((*fields_of(Head), *fields_of(Request), *fields_of(Tail))),
    )


def _relatives() -> Iterator[str]:
    return _table(_COLUMNS, _fields(fields_of(Relative)))


def _events() -> Iterator[str]:
    return _table(
        ("event", "level", "meaning"),
        (
            (f"`{name}`", ", ".join(f"`{each}`" for each in event.levels), event.meaning)
            for name, event in EVENTS.items()
        ),
    )


def _own_fields() -> Iterator[str]:
    for name in EVENTS:
        if name == REQUEST:
            continue
        yield f"### `{name}`"
        yield ""
        yield EVENTS[name].meaning
        yield ""
        own = list(fields_of(FIELDS_OF[name]))
        if name.startswith("log_"):
            own += [each for each in fields_of_line(name) if each.name == "log"]
        yield from _table(_COLUMNS, _fields(own))
        yield ""


def _reasons() -> Iterator[str]:
    return _table(
        ("`imds.reason`", "meaning"),
        ((f"`{name}`", meaning) for name, meaning in REASONS.items()),
    )


_TABLES = {
    "requests": _requests,
    "relatives": _relatives,
    "events": _events,
    "own-fields": _own_fields,
    "reasons": _reasons,
}


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")
