"""Unit tests of analyzer/host."""
