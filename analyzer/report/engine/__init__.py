"""Engines turn files into :class:`analyzer.report.findings.Findings`; their numbers are the same.

``fields`` says what is read, ``programs`` what names mean; ``lines``, ``callers``, ``groups`` and
``questions`` are the queries, once, in DuckDB's SQL; ``gathering`` asks them in order. An engine
adds how it reads its files, and ``dialects`` how others say the same.
"""
