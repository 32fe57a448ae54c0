"""Reports by Spark, with workers of its own: ``make test-spark``."""
