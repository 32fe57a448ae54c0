"""Unit tests of analyzer/report/roster."""
