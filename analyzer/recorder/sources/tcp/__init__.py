"""Reassembles TCP streams from packets. Does no I/O."""
