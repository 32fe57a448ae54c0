"""Reads lines from files and from the journal as they are written."""
