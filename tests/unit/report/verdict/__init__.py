"""Unit tests of analyzer/report/verdict."""
