"""Unit tests of analyzer/config."""
