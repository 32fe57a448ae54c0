"""Runs real programs with old and new SDKs, and asks which software they run.

``python -m tests.vmtest.software`` prints a table: caller, what was found, what is right. Most
programs load their library and wait. Those in Java, Go and Rust call the lab's IMDS.
"""
