"""Unit tests of analyzer/recorder/decode."""
