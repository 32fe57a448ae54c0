"""The queries in the SQL of other engines."""

from __future__ import annotations

from analyzer.errors import AnalyzerError

_MISSING = (
    "this needs sqlglot, which is not installed. Install it: pip install 'imds-analyzer[report]'"
)


def translated(query: str, dialect: str) -> str:
    """Return a query of DuckDB's in ``spark`` or ``athena``. Raises AnalyzerError."""
    try:
        import sqlglot  # noqa: PLC0415 (an extra)
        from sqlglot import exp  # noqa: PLC0415
    except ImportError:
        raise AnalyzerError(_MISSING) from None

    def adapted(node: exp.Expression) -> exp.Expression:
        # Both replace all matches without being told, and have no such argument.
        if isinstance(node, exp.RegexpReplace):
            node.set("modifiers", None)
        return node

    tree = sqlglot.parse_one(query, read="duckdb").transform(adapted)
    # Names are quoted, as each dialect has other words for its own.
    return tree.sql(dialect=dialect, identify=True, pretty=dialect == "athena")
