"""Finds what would call IMDSv1 but has not yet: old libraries, packages and scripts on the disk."""
