"""Turns the flags of each command into one call."""
