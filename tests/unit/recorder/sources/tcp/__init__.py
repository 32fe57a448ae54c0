"""Unit tests of analyzer/recorder/sources/tcp."""
