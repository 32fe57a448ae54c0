"""Unit tests of analyzer/tail/reading."""
