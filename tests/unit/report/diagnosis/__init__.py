"""Unit tests of analyzer/report/diagnosis."""
