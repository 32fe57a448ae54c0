"""Checks a snapshot against rules, for pipelines: nothing may allow IMDSv1, except as listed."""
