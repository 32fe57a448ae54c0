"""Tests of what deploy/ gives to an operator."""
