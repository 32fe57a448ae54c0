"""Unit tests of analyzer/report/next_steps."""
