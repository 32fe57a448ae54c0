"""Compares the log with CloudWatch metrics."""
