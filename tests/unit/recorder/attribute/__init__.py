"""Unit tests of analyzer/recorder/attribute."""
