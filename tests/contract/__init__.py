"""Contracts between the parts."""
