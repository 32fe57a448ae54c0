"""Runs the same queries on Spark, for fleets that outgrow one machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from analyzer.errors import AnalyzerError
from analyzer.report.engine.bounds import TIME
from analyzer.report.engine.columns import FIELDS, SPARK
from analyzer.report.engine.damage import salvaged
from analyzer.report.engine.gathering import Options
from analyzer.report.engine.gathering import gather as gather_with
from analyzer.report.engine.rows import Rows
from analyzer.report.engine.sql import query, translated
from analyzer.report.findings import Findings
from analyzer.report.inputs import File

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
# What is nearly as large as what it is made from, and needed once or twice.
_PASSING = ("request_counts",)
_GLOB = re.compile(r"([*?\[\]{}\\])")


def gather(files: Sequence[File], options: Options, master: Optional[str] = None) -> Findings:
    """Make findings of files, which all workers have to reach by the same names.

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
        try:
            return gather_with(_Spark(spark, files), files, options)
        except (PySparkException, Py4JJavaError) as error:
            mended = salvaged(files, Path(directory))
            damage = [one for each in mended for one in each.damage]
            if not damage:
                raise AnalyzerError(f"Spark cannot read the input: {_first_line(error)}") from None
        whole = [each.file for each in mended]
        spark.catalog.clearCache()
        return gather_with(_Spark(spark, whole), whole, options, damage)


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
        parquet = [each for each in files if each.is_parquet]
        parts = [
            read(spark, each)
            for read, each in ((_text_lines, text), (_parquet_lines, parquet))
            if each
        ]
        lines = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
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
        answer = self._spark.sql(translated(question, "spark"))
        # Without the plan that led to it: each of the following would take it in again.
        if name not in _PASSING:
            answer = answer.localCheckpoint()
        answer.createOrReplaceTempView(name)

    def ask(self, question: str) -> Rows:
        """Return a query's answer."""
        rows = [tuple(row) for row in self._spark.sql(translated(question, "spark")).collect()]
        return [tuple(self._paths.get(value, value) for value in row) for row in rows]

    def example_records(self) -> str:
        """Return the records, each with its line."""
        return "records"


def _text_lines(spark: SparkSession, files: Sequence[File]) -> DataFrame:
    lines = spark.read.text([_escaped(each.path) for each in files], lineSep="\n")
    return lines.selectExpr("value AS line", "_metadata.file_path AS file")


def _parquet_lines(spark: SparkSession, files: Sequence[File]) -> DataFrame:
    paths = [_escaped(each.path) for each in files]
    rows = spark.read.option("mergeSchema", "true").parquet(*paths)
    return rows.selectExpr("to_json(struct(*)) AS line", "_metadata.file_path AS file")


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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
