"""Unit tests of analyzer/recorder/sources/packets."""
