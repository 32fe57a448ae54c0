"""Tests of analyzer/report/account."""
