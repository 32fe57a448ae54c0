"""Tests of the snapshot of AWS accounts."""
