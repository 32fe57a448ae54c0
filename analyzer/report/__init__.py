"""Adds up the recorded lines: who still calls IMDSv1, why, what to do, is it safe.

``engine`` turns files into :mod:`analyzer.report.findings`, numbers without opinion;
``diagnosis``, ``verdict`` and ``steps`` turn those into a :class:`analyzer.report.result.Report`;
``formats`` shows it.
"""
