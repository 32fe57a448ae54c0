"""Unit tests of analyzer/recorder/sources/probe."""
