"""Builds SQL in DuckDB's dialect, and translates it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional, cast

from analyzer.errors import AnalyzerError
from analyzer.report.engine.bounds import GLOBALS

if TYPE_CHECKING:
    import jinja2
    from sqlglot.expressions import CTE, Query

QUERIES = Path(__file__).with_name("queries")
# The tables that answers are kept in, each made from the ones before it.
TABLES = (
    *("line_counts", "host_keys", "call_counts", "slice_counts", "counted_lines"),
    *("boot_times", "sightings"),
    *("request_counts", "caller_numbers", "group_requests", "evidence"),
)
# Is nearly as large as what it is made from, and is needed twice: an engine need not keep it.
PASSING = ("request_counts",)


def query(name: str, /, **parts: object) -> str:
    """Return a query of the file of this name. Raises AnalyzerError.

    A part that the query needs and that is not given raises ``jinja2.UndefinedError``.
    """
    return _environment().get_template(f"{name}.sql").render(parts)


def quoted(text: str) -> str:
    """Write a text literal."""
    return "'" + text.replace("'", "''") + "'"


def translated(text: str, dialect: str) -> str:
    """Return a query of DuckDB's in ``spark`` or ``athena``. Raises AnalyzerError."""
    return _written(_parsed(text), dialect)


def steps(text: str, dialect: str) -> list[tuple[str, str]]:
    """Return a query of DuckDB's in ``dialect``, as names and queries to keep one after the other.

    The last has the name "" and is the answer. The others are the query's parts that are named
    more than once: an engine that writes a part into each place that names it takes twice as long
    with each link of a chain of them. Raises AnalyzerError.
    """
    from sqlglot import exp  # noqa: PLC0415 (an extra)

    tree = _parsed(text)
    named = Counter(table.name for table in tree.find_all(exp.Table))
    parts = tree.ctes
    for each in tree.find_all(exp.With):
        if each.parent is tree:
            each.pop()
    found: list[tuple[str, str]] = []
    once: list[exp.CTE] = []
    for part in parts:
        if named[part.alias] > 1:
            found.append((part.alias, _written(_with(part.this, once), dialect)))
        else:
            once.append(part)
    return [*found, ("", _written(_with(tree, once), dialect))]


def _with(tree: Query, parts: Sequence[CTE]) -> Query:
    for part in parts:
        tree = tree.with_(part.alias, as_=part.this)
    return tree


def _parsed(text: str) -> Query:
    try:
        import sqlglot  # noqa: PLC0415 (an extra)
    except ImportError:
        raise _missing("sqlglot") from None
    return cast("Query", sqlglot.parse_one(text, read="duckdb"))


def _written(tree: Query, dialect: str) -> str:
    # Names are quoted, as each dialect has other words for its own.
    return tree.sql(dialect=dialect, identify=True, pretty=dialect == "athena")


@functools.lru_cache(maxsize=1)  # it keeps the templates that it has read
def _environment() -> jinja2.Environment:
    try:
        import jinja2  # noqa: PLC0415 (an extra)
    except ImportError:
        raise _missing("Jinja2") from None

    class Environment(jinja2.Environment):
        """Gives each template one dict, as a chain of two takes long to copy."""

        def make_globals(
            self, d: Optional[MutableMapping[str, object]]
        ) -> MutableMapping[str, object]:
            return {**self.globals, **(d or {})}

    environment = Environment(
        loader=jinja2.FileSystemLoader(QUERIES),
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(GLOBALS)
    environment.filters["quoted"] = quoted
    return environment


def _missing(library: str) -> AnalyzerError:
    return AnalyzerError(
        f"reports need {library}, which is not installed. Install it:"
        " pip install 'imds-analyzer[report]'"
    )
