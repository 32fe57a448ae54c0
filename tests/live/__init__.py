"""Tests against the running kernel."""
