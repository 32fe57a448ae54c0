"""Turns files into :class:`analyzer.report.findings.Findings`; all engines give the same numbers.

``queries/`` holds the queries, in DuckDB's SQL; ``sql`` fills and translates them, ``gathering``
asks them in order. An engine adds how it reads its files.
"""
