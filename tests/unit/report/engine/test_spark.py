"""What Spark could not do is told with its reason."""

from __future__ import annotations

import pytest

from analyzer.report.engine.spark import _reason

JAVA = """An error occurred while calling o39.sql.
: org.apache.spark.SparkException: Could not execute broadcast in 300 secs.
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.executeBroadcast(QueryExecutionErrors.scala)
Caused by: java.util.concurrent.ExecutionException: no result
\tat java.base/java.util.concurrent.FutureTask.get(FutureTask.java:204)
Caused by: java.util.concurrent.TimeoutException: waited 300 s
\t... 28 more
"""
RAISED = "org.apache.spark.SparkException: Could not execute broadcast in 300 secs."
CAUSE = "Caused by: java.util.concurrent.TimeoutException: waited 300 s"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(JAVA, f"{RAISED}. {CAUSE}".replace("..", "."), id="Java's"),
        pytest.param(
            "An error occurred while calling o39.sql.\n: java.lang.OutOfMemoryError\n\tat a.b(c)",
            "java.lang.OutOfMemoryError",
            id="without a cause",
        ),
        pytest.param(
            "[TABLE_OR_VIEW_NOT_FOUND] The table cannot be found.\n'Project [*]\n",
            "[TABLE_OR_VIEW_NOT_FOUND] The table cannot be found.",
            id="Spark's own",
        ),
        pytest.param("An error occurred", "An error occurred", id="nothing else"),
        pytest.param("", "Exception", id="nothing at all"),
    ],
)
def test_the_reason_is_named(text: str, reason: str) -> None:
    """Without Py4J's line and Java's stack."""
    assert _reason(Exception(text)) == reason
