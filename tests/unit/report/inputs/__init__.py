"""Tests of which files a report is made of."""
