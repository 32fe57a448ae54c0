"""The engine inside this process: reads JSON lines, gzip and Parquet, with bounded memory."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.errors import AnalyzerError
from analyzer.report.engine.columns import DUCKDB, FIELDS, Shape
from analyzer.report.engine.damage import LINE_MAX, salvaged
from analyzer.report.engine.gathering import Options, Rows
from analyzer.report.engine.gathering import gather as gather_with
from analyzer.report.engine.sql import fill, listed, quoted
from analyzer.report.findings import Damage, Findings
from analyzer.report.inputs import File

if TYPE_CHECKING:
    import duckdb

_MISSING = (
    "reports need DuckDB, which is not installed. Install it: pip install 'imds-analyzer[report]'"
)
# How often the share that is done is asked for.
_PROGRESS_S = 0.2
# How much of the time it takes to add up; the rest goes into finding the examples.
_SUM_SHARE = 0.8
# An error names as many files.
_NAMED_MAX = 3
_GLOB = re.compile(r"([*?\[])")

# A time in UTC as the log has it, or as a database writes it.
_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,9})?"
    r"(?:Z|[+]00(?::?00)?)?\z"
)
# The quick way first, for the form that the log has.
_MICROSECONDS = """epoch_us(try_cast(CASE
  WHEN length($text) = 27 AND ends_with($text, 'Z') THEN $text
  WHEN regexp_matches($text, $time) THEN $text END AS TIMESTAMP))"""

_JSON = """SELECT $names, filename AS file FROM read_json([$paths], records = true,
  columns = {$columns}, $options)"""
_JSON_LINES = "SELECT json AS line, filename AS file FROM read_ndjson_objects([$paths], $options)"
_OPTIONS = """format = 'newline_delimited', compression = '$compression', ignore_errors = true,
  filename = true, maximum_object_size = $longest"""
# The file's name is no part of the line; null takes it out.
_PARQUET_LINES = """SELECT
  json_merge_patch(to_json(whole), '{"filename": null}') AS line, whole.filename AS file
FROM read_parquet([$paths], union_by_name = true, filename = true) AS whole"""
_PARSED = "SELECT unnest(json_transform(line, $structure)), $kept file FROM ($lines) AS lines"
_TIMED = "SELECT *, $at AS at_us, $started AS started_us FROM ($records) AS records"

# Where the analyzer's own writer has put the time, it need not be parsed to be compared.
_AT_TIMES = """SELECT line, file FROM ($lines) AS lines
WHERE CASE WHEN starts_with(line, '{"timestamp":"') AND substr(line, 41, 2) = 'Z"'
    THEN substr(line, 15, 27) ELSE strftime(make_timestamp($at), '%Y-%m-%dT%H:%M:%S.%fZ') END
  IN (SELECT strftime(make_timestamp(at_us), '%Y-%m-%dT%H:%M:%S.%fZ') FROM examples)"""


def gather(files: Sequence[File], options: Options) -> Findings:
    """Make findings of files. Raises AnalyzerError."""
    try:
        import duckdb  # noqa: PLC0415 (an extra, and large)
    except ImportError:
        raise AnalyzerError(_MISSING) from None
    with tempfile.TemporaryDirectory(prefix="imds-report-") as directory:
        try:
            return _gather(files, options, (), directory)
        except duckdb.Error as error:  # long lines may also have taken all of the memory
            whole, damage = _mended(files, Path(directory))
            if not damage:
                raise _explained(files, options, error) from None
        try:
            return _gather(whole, options, damage, directory)
        except duckdb.Error as error:
            raise _explained(files, options, error) from None


def _gather(
    files: Sequence[File], options: Options, damage: Sequence[Damage], directory: str
) -> Findings:
    import duckdb  # noqa: PLC0415 (an extra, and large)

    try:
        connection = duckdb.connect(
            config={
                "memory_limit": options.memory,
                "temp_directory": directory,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,  # nothing is fetched from anywhere
            }
        )
    except duckdb.Error as error:
        raise AnalyzerError(f"--memory {options.memory}: {error}") from None
    with connection:
        # Tables' times are shown in it; without the extension for zones there are no others.
        with contextlib.suppress(duckdb.Error):
            connection.execute("SET TimeZone = 'UTC'")
        engine = _DuckDB(connection, files)
        try:
            with _watched(connection, engine, options):
                return gather_with(engine, files, options, damage)
        except RuntimeError as error:
            if isinstance(error, duckdb.Error) or "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from None  # which is what it was


def _explained(files: Sequence[File], options: Options, error: duckdb.Error) -> AnalyzerError:
    import duckdb  # noqa: PLC0415 (an extra, and large)

    if isinstance(error, duckdb.OutOfMemoryException):
        return AnalyzerError(
            f"{options.memory} of memory are not enough for {_names(files)}: {error}."
            " Give more with --memory, or fewer files."
        )
    return AnalyzerError(f"DuckDB cannot read {_names(files)}: {error}")


def _names(files: Sequence[File]) -> str:
    """Name the first files, and how many there are."""
    named = ", ".join(each.name for each in files[:_NAMED_MAX])
    return named if len(files) <= _NAMED_MAX else f"{named} and {len(files) - _NAMED_MAX} more"


class _DuckDB:
    """Asks DuckDB (an :class:`analyzer.report.engine.gathering.Engine`)."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Sequence[File]) -> None:
        self._connection = connection
        self._files = files
        self.is_summed = False
        records = [
            fill(
                _JSON,
                names=listed(FIELDS),
                columns=listed(
                    f"'{name}': {quoted(DUCKDB.write(shape))}" for name, shape in FIELDS.items()
                ),
                **parts,
            )
            for parts in self._json_parts()
        ]
        parquet = self._parquet_lines()
        if parquet:
            records.append(_parsed(parquet))
        self.records = _timed(" UNION ALL BY NAME ".join(records))

    def keep(self, name: str, query: str) -> None:
        """Keep a query's answer under a name."""
        self._connection.execute(f"CREATE TEMP TABLE {name} AS {query}")
        self.is_summed = True

    def ask(self, query: str) -> Rows:
        """Return a query's answer."""
        return self._connection.execute(query).fetchall()

    def example_records(self) -> str:
        """Return the records at the examples' times, with their lines."""
        lines = [fill(_JSON_LINES, **parts) for parts in self._json_parts()]
        parquet = self._parquet_lines()
        wanted = fill(
            _AT_TIMES,
            lines=" UNION ALL ".join(lines + [parquet] * bool(parquet)),
            at=_microseconds("json_extract_string(line, '$.timestamp')"),
        )
        return _timed(_parsed(wanted, kept="line,"))

    def _json_parts(self) -> list[dict[str, str]]:
        """Return, for plain and for compressed files, what a query for them is filled with."""
        parts = []
        for compression, is_gzip in (("none", False), ("gzip", True)):
            files = [
                each for each in self._files if each.is_gzip is is_gzip and not each.is_parquet
            ]
            if files:
                options = fill(_OPTIONS, compression=compression, longest=LINE_MAX)
                parts.append({"paths": _paths(files), "options": options})
        return parts

    def _parquet_lines(self) -> str:
        files = [each for each in self._files if each.is_parquet]
        return fill(_PARQUET_LINES, paths=_paths(files)) if files else ""


def _parsed(lines: str, kept: str = "") -> str:
    structure = json.dumps({name: _structure(shape) for name, shape in FIELDS.items()})
    return fill(_PARSED, structure=quoted(structure), lines=lines, kept=kept)


def _structure(shape: Shape) -> object:
    """Return a type as json_transform wants it."""
    if isinstance(shape, str):
        return DUCKDB.write(shape)
    if isinstance(shape, list):
        return [_structure(shape[0])]
    return {name: _structure(inner) for name, inner in shape.items()}


def _paths(files: Sequence[File]) -> str:
    # What would be a pattern is a name here.
    return ", ".join(quoted(_GLOB.sub(r"[\1]", each.path)) for each in files)


def _timed(records: str) -> str:
    at, started = _microseconds("timestamp"), _microseconds("process.start")
    return "(" + fill(_TIMED, at=at, started=started, records=records) + ") AS records"


def _microseconds(text: str) -> str:
    return fill(_MICROSECONDS, text=text, time=quoted(_TIME))


def _mended(files: Sequence[File], directory: Path) -> tuple[list[File], list[Damage]]:
    """Return files that can be read, and what is wrong with those whose place they took."""
    mended = salvaged(files, directory)
    return [each.file for each in mended], [one for each in mended for one in each.damage]


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
