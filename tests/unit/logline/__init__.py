"""Unit tests of analyzer/logline."""
