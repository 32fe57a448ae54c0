"""Reads the instances that there are, and joins them with the hosts of the log."""
