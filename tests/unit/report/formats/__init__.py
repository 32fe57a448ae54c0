"""Unit tests of analyzer/report/formats."""
