"""Unit tests of analyzer/tail."""
