"""Runs the same queries on Spark, for fleets that outgrow one machine."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from analyzer.errors import AnalyzerError
from analyzer.report.engine.bounds import TIME
from analyzer.report.engine.columns import FIELDS, SPARK
from analyzer.report.engine.damage import checked, is_text, salvaged
from analyzer.report.engine.gathering import Options
from analyzer.report.engine.gathering import gather as gather_with
from analyzer.report.engine.rows import Rows
from analyzer.report.engine.sql import PASSING, query, steps
from analyzer.report.engine.tables import COLUMNS, FOREIGN_COLUMNS
from analyzer.report.findings import Damage, Findings
from analyzer.report.inputs import File, Inputs
from analyzer.report.inputs.file import nothing_left

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_MISSING = (
    "--engine spark needs PySpark, which is not installed."
    " Install it: pip install 'imds-analyzer[spark]'"
)
_NO_JAVA = (
    "Spark needs Java 17 or later, which is not on the PATH. Install it (Debian:"
    " apt-get install openjdk-17-jre-headless), or set JAVA_HOME."
)
_LOCAL = "local[*]"
# Joins and sums of this program are small; what is large is read in as many parts as files have.
_CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.caseSensitive": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
# Spark unpacks by the end of a name; of these, gzip alone is what the input has.
_CODECS = (".gz", ".bz2", ".deflate", ".lz4", ".snappy", ".zst", ".zstd")
_GLOB = re.compile(r"([*?\[\]{}\\])")


def gather(inputs: Inputs, options: Options, master: Optional[str] = None) -> Findings:
    """Make findings of the input, whose files all workers have to reach by the same names.

    ``master`` is Spark's URL; None runs it in processes of this machine. Raises AnalyzerError.
    """
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415 (an extra, and large)
    except ImportError:
        raise AnalyzerError(_MISSING) from None
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        raise AnalyzerError(_NO_JAVA)
    from py4j.protocol import Py4JJavaError  # noqa: PLC0415 (comes with PySpark)

    with tempfile.TemporaryDirectory(prefix="imds-report-") as directory, _session(master) as spark:
        found = checked(inputs.files, Path(directory))
        damage = [one for each in found for one in each.damage]
        files = [_nameable(each.file, Path(directory)) for each in found]
        files, unread = _tables(files, functools.partial(_of_columns, spark))
        unread = [*inputs.unread, *unread]
        if not files:
            raise nothing_left(tuple(unread))
        try:
            return gather_with(_Spark(spark, files), files, options, damage, unread)
        except (PySparkException, Py4JJavaError) as error:
            whole, broken = _tables(files, functools.partial(_of_rows, spark))
            mended = salvaged(whole, Path(directory))
            further = [one for each in mended for one in each.damage]
            if not further and not broken:
                raise AnalyzerError(f"Spark cannot read the input: {_reason(error)}") from None
        files, damage, unread = [each.file for each in mended], damage + further, unread + broken
        if not files:
            raise nothing_left(tuple(unread))
        spark.catalog.clearCache()
        return gather_with(_Spark(spark, files), files, options, damage, unread)


class _Spark:
    """Asks Spark (an :class:`analyzer.report.engine.gathering.Engine`)."""

    def __init__(self, spark: SparkSession, files: Sequence[File]) -> None:
        self._spark = spark
        # Hadoop writes URLs of local files with one slash or with three.
        self._paths: dict[str, str] = {}
        for each in files:
            url = Path(each.path).as_uri()
            self._paths[url] = self._paths[url.replace("///", "/", 1)] = each.path
        text = [each for each in files if not each.is_parquet]
        parts = [_text_lines(spark, text)] if text else []
        # Each alone: two of them may have one column with different types.
        parts += [_parquet_lines(spark, each) for each in files if each.is_parquet]
        lines = functools.reduce(lambda one, other: one.unionByName(other), parts)
        lines.createOrReplaceTempView("recorded_lines")
        schema = ", ".join(f"`{name}` {SPARK.write(shape)}" for name, shape in FIELDS.items())
        # Spark reads backslashes in its literals.
        time = TIME.replace("\\", "\\\\")
        spark.sql(
            query("spark_records", fields=FIELDS, schema=schema, TIME=time)
        ).createOrReplaceTempView("records")
        self.records = "records"

    def keep(self, name: str, question: str) -> None:
        """Keep a query's answer under a name; what is added up is added up once."""
        with self._answer(question) as answer:
            # Without the plan that led to it: each of the following would take it in again.
            kept = answer if name in PASSING else answer.localCheckpoint()
            kept.createOrReplaceTempView(name)

    def ask(self, question: str) -> Rows:
        """Return a query's answer."""
        with self._answer(question) as answer:
            rows = [tuple(row) for row in answer.collect()]
        return [tuple(self._paths.get(value, value) for value in row) for row in rows]

    @contextlib.contextmanager
    def _answer(self, question: str) -> Iterator[DataFrame]:
        """Return a query's answer, whose parts are kept meanwhile."""
        *parts, (_, last) = steps(question, "spark")
        for name, part in parts:
            self._spark.sql(part).localCheckpoint().createOrReplaceTempView(name)
        yield self._spark.sql(last)
        for name, _ in parts:
            self._spark.catalog.dropTempView(name)

    def example_texts(self) -> str:
        """Return a query for the records at the examples' times, each with its line."""
        return "SELECT * FROM records WHERE at_us IN (SELECT at_us FROM example_requests)"

    def example_records(self) -> str:
        """Return these records."""
        return "example_texts"


def _tables(
    files: Sequence[File], problem_of: Callable[[File], Optional[str]]
) -> tuple[list[File], list[Damage]]:
    """Set aside the tables that have a problem."""
    from py4j.protocol import Py4JJavaError  # noqa: PLC0415 (comes with PySpark)
    from pyspark.errors import PySparkException  # noqa: PLC0415 (an extra, and large)

    kept, unread = [], []
    for file in files:
        try:
            problem = problem_of(file) if file.is_parquet else None
        except (PySparkException, Py4JJavaError) as error:
            problem = f"is Parquet that cannot be read: {_reason(error)}"
        if problem is None:
            kept.append(file)
        else:
            unread.append(Damage(file.name, None, problem))
    return kept, unread


def _of_columns(spark: SparkSession, file: File) -> Optional[str]:
    return None if COLUMNS.issubset(_parquet(spark, file).columns) else FOREIGN_COLUMNS


def _of_rows(spark: SparkSession, file: File) -> Optional[str]:
    """Read a table to its end: an error is its problem."""
    _parquet_lines(spark, file).selectExpr("sum(length(line))").collect()
    return None


def _nameable(file: File, directory: Path) -> File:
    """Give a file another name where Spark would pass it over, or unpack it by its name."""
    path = Path(file.path)
    is_passed_over = path.name.startswith(("_", ".")) or path.name.endswith("._COPYING_")
    is_unpacked = path.suffix == ".gz" if file.is_gzip else path.suffix not in _CODECS
    if is_unpacked and not is_passed_over and is_text(file.path):
        return file
    suffix = ".gz" if file.is_gzip else ".parquet" if file.is_parquet else ".jsonl"
    link = directory / f"link-{len(list(directory.iterdir()))}{suffix}"
    link.symlink_to(file.path)
    return file._replace(path=str(link))


def _text_lines(spark: SparkSession, files: Sequence[File]) -> DataFrame:
    reader = spark.read.option("recursiveFileLookup", "true")  # no fields out of folders' names
    lines = reader.text([_escaped(each.path) for each in files], lineSep="\n")
    return lines.selectExpr("value AS line", "_metadata.file_path AS file")


def _parquet_lines(spark: SparkSession, file: File) -> DataFrame:
    rows = _parquet(spark, file)
    return rows.selectExpr("to_json(struct(*)) AS line", "_metadata.file_path AS file")


def _parquet(spark: SparkSession, file: File) -> DataFrame:
    reader = spark.read.option("recursiveFileLookup", "true")
    return reader.parquet(_escaped(file.path))


@contextlib.contextmanager
def _session(master: Optional[str]) -> Iterator[SparkSession]:
    from pyspark.sql import SparkSession  # noqa: PLC0415 (an extra, and large)

    builder: Any = SparkSession.builder
    builder = builder.appName("imds-analyzer report").master(master or _LOCAL)
    for name, value in _CONFIGURATION.items():
        builder = builder.config(name, value)
    spark: SparkSession = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def _escaped(path: str) -> str:
    """Write a path so that nothing in it is a pattern to Hadoop."""
    return _GLOB.sub(r"\\\1", path)


def _reason(error: Exception) -> str:
    """Say what failed: the exception that Java raised, and the first cause of it.

    Py4J's own first line says only which object was called, and the rest of Java's is its stack.
    """
    text = str(error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines()]
    raised = next((line[1:].strip() for line in lines if line.startswith(":")), lines[0])
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return " ".join([f"{raised.rstrip('.')}.", *causes[-1:]]) if causes else raised
