"""Tests of analyzer.software.node."""
