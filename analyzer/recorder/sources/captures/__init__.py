"""Reads calls from packet captures."""
