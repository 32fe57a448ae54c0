"""Unit tests of analyzer/recorder/metrics."""
