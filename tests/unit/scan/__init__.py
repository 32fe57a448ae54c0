"""Tests of analyzer.scan."""
