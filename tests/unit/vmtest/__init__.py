"""Unit tests of tests/vmtest."""
