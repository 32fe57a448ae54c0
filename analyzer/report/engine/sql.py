"""Builds SQL in DuckDB's dialect, and translates it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.errors import AnalyzerError
from analyzer.report.engine.bounds import GLOBALS

if TYPE_CHECKING:
    import jinja2

QUERIES = Path(__file__).with_name("queries")
# The tables that answers are kept in, each made from the ones before it.
TABLES = (
    *("line_counts", "host_keys", "call_counts", "slice_counts", "boot_times", "sightings"),
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
    try:
        import sqlglot  # noqa: PLC0415 (an extra)
    except ImportError:
        raise _missing("sqlglot") from None
    tree = sqlglot.parse_one(text, read="duckdb")
    # Names are quoted, as each dialect has other words for its own.
    return tree.sql(dialect=dialect, identify=True, pretty=dialect == "athena")


@functools.lru_cache(maxsize=1)  # it keeps the templates that it has read
def _environment() -> jinja2.Environment:
    try:
        import jinja2  # noqa: PLC0415 (an extra)
    except ImportError:
        raise _missing("Jinja2") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(QUERIES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (SQL; what is text goes through `quoted`)
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
