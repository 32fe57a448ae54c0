"""Unit tests of analyzer/commands."""
