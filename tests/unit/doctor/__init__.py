"""Unit tests of analyzer/doctor."""
