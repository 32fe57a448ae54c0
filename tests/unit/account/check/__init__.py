"""Tests of ``audit --check``."""
