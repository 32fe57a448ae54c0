"""Unit tests of analyzer/recorder/masking."""
