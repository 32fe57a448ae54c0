"""Tests of imds-analyzer."""
