"""Tests of analyzer.software.managers."""
