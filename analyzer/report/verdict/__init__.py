"""Decides whether IMDSv1 can be turned off."""
