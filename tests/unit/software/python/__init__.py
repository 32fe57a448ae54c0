"""Tests of analyzer.software.python."""
