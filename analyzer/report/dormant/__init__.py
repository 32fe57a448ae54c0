"""Reads what ``scan`` found, and joins it with the hosts of the log: code that has not called."""
