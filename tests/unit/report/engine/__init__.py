"""Unit tests of analyzer/report/engine."""
