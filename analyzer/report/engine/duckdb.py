"""Runs the queries in this process: reads JSON lines, gzip and Parquet in bounded memory."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.errors import AnalyzerError
from analyzer.report.engine.bounds import TIME
from analyzer.report.engine.columns import DUCKDB, FIELDS, Shape
from analyzer.report.engine.duckdb_files import Prepared, mended, names, pattern, prepare
from analyzer.report.engine.gathering import Options
from analyzer.report.engine.gathering import gather as gather_with
from analyzer.report.engine.rows import Rows
from analyzer.report.engine.shortfalls import unpacked_size
from analyzer.report.engine.sql import PASSING, query, quoted
from analyzer.report.findings import Findings
from analyzer.report.inputs import File, Inputs
from analyzer.report.inputs.file import nothing_left

if TYPE_CHECKING:
    import duckdb

_MISSING = (
    "reports need DuckDB, which is not installed. Install it: pip install 'imds-analyzer[report]'"
)
# How often the share that is done is asked for.
_PROGRESS_S = 0.2
# How much of the time it takes to add up; the rest goes into finding the examples.
_SUM_SHARE = 0.8
# Tables are kept in a database of their own: DuckDB compresses no temporary ones. It would compress
# all of them at a time of its own, which takes longer, and twice their memory. The methods that are
# left out are slow to try, and save nothing here.
_KEPT = (
    "ATTACH ':memory:' AS kept (COMPRESS)",
    "USE kept",
    "SET checkpoint_threshold = '1TB'",
    "SET disabled_compression_methods = 'zstd,alp,alprd,patas,chimp'",
)
# The largest table, most of which is null: compressed it has a tenth of the size.
_COMPRESSED = ("line_counts",)
# Planning takes longer than it saves up to about 5 MB, and a second thread longer than it helps.
SMALL_BYTES = 4 << 20
# Without these, the examples' few lines are looked for among all lines with all of their columns.
_NEEDED_OPTIMIZERS = ("filter_pushdown", "unused_columns")
# An error names as many files.
_NAMED_MAX = 3


def gather(inputs: Inputs, options: Options) -> Findings:
    """Make findings of the input. Raises AnalyzerError."""
    try:
        import duckdb  # noqa: PLC0415 (an extra, and large)
    except ImportError:
        raise AnalyzerError(_MISSING) from None
    with tempfile.TemporaryDirectory(prefix="imds-report-") as directory:
        prepared = prepare(inputs.files, Path(directory))
        try:
            return _gather(prepared, inputs, options, directory)
        except duckdb.Error as error:  # long lines may also have taken all of the memory
            whole = mended(prepared, Path(directory))
            if whole is prepared:
                raise _explained(inputs.files, options, error) from None
        try:
            return _gather(whole, inputs, options, directory)
        except duckdb.Error as error:
            raise _explained(inputs.files, options, error) from None


def _gather(prepared: Prepared, inputs: Inputs, options: Options, directory: str) -> Findings:
    unread = (*inputs.unread, *prepared.unread)
    if not prepared.files:
        raise nothing_left(unread)
    connection = connected(options.memory, directory)
    with connection:
        # Tables' times are shown in it; without the extension for zones there are no others.
        import duckdb  # noqa: PLC0415 (an extra, and large)

        with contextlib.suppress(duckdb.Error):
            connection.execute("SET TimeZone = 'UTC'")
        is_small = unpacked_size(prepared.files) <= SMALL_BYTES
        if is_small:
            _plan_little(connection)
        else:
            for setting in _KEPT:
                connection.execute(setting)
        engine = _DuckDB(connection, prepared, () if is_small else _COMPRESSED)
        try:
            with _watched(connection, engine, options):
                return gather_with(engine, prepared.files, options, prepared.damage, unread)
        except RuntimeError as error:
            if isinstance(error, duckdb.Error) or "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from None  # which is what it was


def connected(memory: str, directory: str) -> duckdb.DuckDBPyConnection:
    """Return a database in memory, which spills into a directory. Raises AnalyzerError."""
    try:
        import duckdb  # noqa: PLC0415 (an extra, and large)
    except ImportError:
        raise AnalyzerError(_MISSING) from None
    try:
        return duckdb.connect(
            config={
                "memory_limit": memory,
                "temp_directory": directory,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,  # nothing is fetched from anywhere
            }
        )
    except duckdb.Error as error:
        raise AnalyzerError(f"--memory {memory}: {error}") from None


def _plan_little(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave out what takes longer than a small input's queries; the results are the same."""
    names = (name for (name,) in connection.execute("FROM duckdb_optimizers()").fetchall())
    left_out = ",".join(name for name in names if name not in _NEEDED_OPTIMIZERS)
    connection.execute(f"SET disabled_optimizers = {quoted(left_out)}")
    connection.execute("SET threads = 1")


def records_of(prepared: Prepared) -> str:
    """Return the query for the records of files, for a question of one's own."""
    return query("duckdb_records", **_inputs_of(prepared))


def _explained(files: Sequence[File], options: Options, error: duckdb.Error) -> AnalyzerError:
    import duckdb  # noqa: PLC0415 (an extra, and large)

    if isinstance(error, duckdb.OutOfMemoryException):
        return AnalyzerError(
            f"{options.memory} of memory are not enough for {names(files, _NAMED_MAX)}: {error}."
            " Give more with --memory, or fewer files."
        )
    return AnalyzerError(f"DuckDB cannot read {names(files, _NAMED_MAX)}: {error}")


class _DuckDB:
    """Asks DuckDB (an :class:`analyzer.report.engine.gathering.Engine`)."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        prepared: Prepared,
        compressed: Collection[str],
    ) -> None:
        """Take the names of the tables that are kept compressed, in a database ``kept``."""
        self._connection = connection
        self._compressed = compressed
        self.is_summed = False
        self._prepared = prepared
        self.records = records_of(prepared)

    def keep(self, name: str, question: str) -> None:
        """Keep a query's answer under a name."""
        kind = "VIEW" if name in PASSING else "TABLE"
        self._connection.execute(f"CREATE {kind} {name} AS {question}")
        if name in self._compressed:
            self._connection.execute("CHECKPOINT kept")
        self.is_summed = True

    def ask(self, question: str) -> Rows:
        """Return a query's answer."""
        return self._connection.execute(question).fetchall()

    def example_texts(self) -> str:
        """Return a query for the lines at the examples' times."""
        paths = {path for (path,) in self.ask(query("example_files"))}
        return query("duckdb_example_texts", **_inputs_of(_only(self._prepared, paths)))

    def example_records(self) -> str:
        """Return the records of these lines, with their lines."""
        return query("duckdb_example_records", **_inputs_of(self._prepared))


def _only(prepared: Prepared, paths: Collection[str]) -> Prepared:
    """Leave out the files with other paths."""
    tables = (tuple(file for file in group if file.path in paths) for group in prepared.tables)
    return replace(
        prepared,
        files=tuple(file for file in prepared.files if file.path in paths),
        tables=tuple(filter(None, tables)),
    )


def _inputs_of(prepared: Prepared) -> dict[str, object]:
    """Return what the queries that read files are filled with."""
    return {
        "parts": _json_parts(prepared.files),
        "parquet": [[pattern(each) for each in group] for group in prepared.tables],
        "fields": {name: DUCKDB.write(shape) for name, shape in FIELDS.items()},
        "structure": json.dumps({name: _structure(shape) for name, shape in FIELDS.items()}),
        "TIME": TIME,
    }


def _json_parts(files: Sequence[File]) -> list[dict[str, object]]:
    """Return the plain and the compressed files, as far as there are any."""
    parts: list[dict[str, object]] = []
    for compression, is_gzip in (("uncompressed", False), ("gzip", True)):
        paths = [pattern(each) for each in files if each.is_gzip is is_gzip and not each.is_parquet]
        if paths:
            parts.append({"compression": compression, "paths": paths})
    return parts


def _structure(shape: Shape) -> object:
    """Return a type as json_transform wants it."""
    if isinstance(shape, str):
        return DUCKDB.write(shape)
    if isinstance(shape, list):
        return [_structure(shape[0])]
    return {name: _structure(inner) for name, inner in shape.items()}


@contextlib.contextmanager
def _watched(
    connection: duckdb.DuckDBPyConnection, engine: _DuckDB, options: Options
) -> Iterator[None]:
    """Tell from a thread how far the two passes over the input have come."""
    connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    ended = threading.Event()

    def watch() -> None:
        furthest = 0.0
        while not ended.wait(_PROGRESS_S):
            share = max(0.0, connection.query_progress() / 100)
            done = _SUM_SHARE + share * (1 - _SUM_SHARE) if engine.is_summed else share * _SUM_SHARE
            furthest = max(furthest, done)
            options.progress(furthest)

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
