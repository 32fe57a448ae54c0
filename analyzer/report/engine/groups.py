"""From keyed cells to groups: numbered by what matters most, the smallest put together."""

from __future__ import annotations

from analyzer.report.engine.lines import CELL_COLUMNS
from analyzer.report.engine.sql import fill, listed, quoted
from analyzer.report.findings import FURTHER, GROUPS_MAX

KEY_COLUMNS = ("program", "launcher", "key_unit", "place", "key_agent", "provider")


def _numbered(source: str) -> str:
    return fill(
        """
SELECT $key, row_number() OVER (ORDER BY v1 DESC, unknown DESC, requests DESC, $key) AS number
FROM (
  SELECT $key,
    sum(CASE WHEN version = 'v1' THEN lines ELSE 0 END) AS v1,
    sum(CASE WHEN version = 'unknown' THEN lines ELSE 0 END) AS unknown,
    sum(lines) AS requests
  FROM $source GROUP BY $key
) AS sums
""",
        source=source,
        key=listed(KEY_COLUMNS),
    )


def _joined(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in KEY_COLUMNS)


RANKS = _numbered("keyed")

FOLDED = fill(
    """
SELECT $cells, keyed.process, keyed.tree, keyed.is_tool,
  keyed.lines, keyed.first_us, keyed.last_us, keyed.started_us,
  CASE WHEN ranks.number <= $most THEN keyed.program ELSE $further END AS program,
  CASE WHEN ranks.number <= $most THEN keyed.launcher ELSE '' END AS launcher,
  CASE WHEN ranks.number <= $most THEN keyed.key_unit ELSE '' END AS key_unit,
  CASE WHEN ranks.number <= $most THEN keyed.place ELSE 'host' END AS place,
  CASE WHEN ranks.number <= $most THEN keyed.key_agent ELSE '' END AS key_agent
FROM keyed JOIN ranks ON $same
""",
    cells=listed(CELL_COLUMNS, "keyed.%s"),
    most="$most",
    further=quoted(FURTHER),
    same=_joined("keyed", "ranks"),
)

NUMBERED = _numbered("folded")

MEMBERS = fill(
    "SELECT numbered.number, folded.* FROM folded JOIN numbered ON $same",
    same=_joined("folded", "numbered"),
)


def steps(groups_max: int = GROUPS_MAX) -> tuple[tuple[str, str], ...]:
    """Return what is kept, in order, of ``keyed``."""
    return (
        ("ranks", RANKS),
        ("folded", fill(FOLDED, most=groups_max)),
        ("numbered", NUMBERED),
        ("members", MEMBERS),
    )
