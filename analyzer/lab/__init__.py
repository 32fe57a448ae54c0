"""Emulates IMDS in a network namespace of its own, for `lab` and for the live tests."""
