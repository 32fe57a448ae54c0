"""Unit tests of analyzer/recorder."""
