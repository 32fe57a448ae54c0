"""Lets the reports of a process share an instance of DuckDB, each with a database of its own.

To open and to close an instance takes as long as many of a small report's queries. A program that
reports once pays for that once; tests ask hundreds of times. A report that is to take other memory
than usual still gets an instance of its own, and so does all that runs as a process.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Callable

import pytest

from analyzer.report.engine import duckdb as engine
from analyzer.report.engine.gathering import Options

if TYPE_CHECKING:
    import duckdb

_open = engine.connected
# What a report sets for the whole instance.
_SETTINGS = ("threads", "disabled_optimizers", "checkpoint_threshold", "TimeZone")


@pytest.fixture(scope="session")
def opened_instance() -> Iterator[Callable[[], duckdb.DuckDBPyConnection]]:
    """Return what opens the instance as a report does, when it is first called."""
    with contextlib.ExitStack() as stack:

        @functools.lru_cache(maxsize=1)
        def opened() -> duckdb.DuckDBPyConnection:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="imds-tests-"))
            return stack.enter_context(_open(Options.memory, directory))

        yield opened
        opened.cache_clear()


@pytest.fixture
def shared_instance(
    opened_instance: Callable[[], duckdb.DuckDBPyConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have reports of this test use the instance."""

    def connected(memory: str, directory: str) -> duckdb.DuckDBPyConnection:
        if memory != Options.memory:
            return _open(memory, directory)
        connection = opened_instance().cursor()
        for name in ("report", "kept"):  # of the report before this one
            connection.execute(f"DETACH DATABASE IF EXISTS {name}")
        for name in _SETTINGS:
            connection.execute(f"RESET {name}")
        connection.execute("ATTACH ':memory:' AS report")
        connection.execute("USE report")
        return connection

    monkeypatch.setattr(engine, "connected", connected)
