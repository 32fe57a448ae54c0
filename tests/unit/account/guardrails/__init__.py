"""Tests of the files that keep IMDSv1 off."""
