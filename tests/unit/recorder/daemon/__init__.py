"""Unit tests of analyzer/recorder/daemon."""
