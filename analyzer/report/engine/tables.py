"""Says which tables of Parquet are tables of the analyzer's lines."""

from __future__ import annotations

# What every line has, and so every table of lines.
COLUMNS = frozenset({"timestamp", "event"})
FOREIGN_COLUMNS = "is Parquet without the columns timestamp and event"
