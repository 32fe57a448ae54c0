"""Writes the packets of recorded calls to a pcapng file."""
