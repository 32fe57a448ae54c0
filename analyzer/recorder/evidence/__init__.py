"""Reads the code of callers that were first seen to use IMDSv1, beside the hot path.

The pipeline's thread only puts a caller into a bounded queue. A process of our own reads: what it
reads may be hostile, or may hang, and must neither hold the interpreter's lock nor delay a stop.
"""
