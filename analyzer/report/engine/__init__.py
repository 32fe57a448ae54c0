"""Engines turn files into :class:`analyzer.report.findings.Findings`; their numbers are the same.

``queries/`` holds the queries, in DuckDB's SQL; ``sql`` fills and translates them, ``gathering``
asks them in order. An engine adds how it reads its files.
"""
