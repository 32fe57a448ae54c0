"""Joins snapshots of AWS accounts with the log: the roster, AWS's figures, and sets of instances."""
