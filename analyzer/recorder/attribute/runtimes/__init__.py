"""Reads names of containers from what their runtimes left on the node."""
