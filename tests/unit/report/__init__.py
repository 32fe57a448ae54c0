"""Unit tests of analyzer/report."""
