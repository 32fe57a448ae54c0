"""Tests of analyzer.software."""
