"""Tests of what is decided about a host, by its facts."""
