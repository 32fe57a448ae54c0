"""Tests of analyzer.report.dormant."""
