"""Unit tests of analyzer/masking."""
