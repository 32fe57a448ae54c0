"""Unit tests of analyzer/lab."""
