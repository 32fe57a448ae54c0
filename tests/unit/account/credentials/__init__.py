"""Tests of what credentials from IMDSv1 were used for."""
