"""Unit tests of analyzer/report/cloudwatch."""
