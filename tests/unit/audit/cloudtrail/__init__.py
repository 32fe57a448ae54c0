"""Tests of the look-up in CloudTrail."""
