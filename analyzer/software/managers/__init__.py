"""Reads the databases of package managers as files: which package owns a path."""
