"""Joins snapshots of AWS accounts with the log: a roster, AWS's figures, sets of instances."""
