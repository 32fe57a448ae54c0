"""Unit tests of analyzer/recorder/sinks."""
