"""Defines the errors an operator can meet; each says what is missing and what to do."""

from __future__ import annotations


class AnalyzerError(Exception):
    """Base of every error the command line turns into a message and an exit code."""

    exit_code = 1


class SourceUnavailable(AnalyzerError):
    """One way of capturing does not work on this host.

    ``lacks`` says what is not there; ``remedy`` what to install or change.
    """

    def __init__(self, source: str, lacks: str, remedy: str) -> None:
        super().__init__(f"{source}: {lacks}. {remedy}")
        self.source = source
        self.lacks = lacks
        self.remedy = remedy


class KernelLacks(AnalyzerError):
    """The running kernel lacks something that a way of attaching needs, or does not show it.

    ``remedy`` says what to install or change.
    """

    def __init__(self, lacks: str, remedy: str) -> None:
        super().__init__(lacks)
        self.remedy = remedy


class NoSourceWorks(AnalyzerError):
    """No capture method works. The message lists each one with its reason."""

    def __init__(self, tried: list[SourceUnavailable]) -> None:
        lines = [f"  {each.source}: {each.lacks}\n    -> {each.remedy}" for each in tried]
        super().__init__(
            "no capture method works on this host. Tried in this order:\n"
            + "\n".join(lines)
            + "\nRun `imds-analyzer doctor` for all checks."
        )
        self.tried = tried


class SinkError(AnalyzerError):
    """The log cannot be written where it was asked for."""


class CaptureError(AnalyzerError):
    """A capture could not be read, or not all of it."""

    exit_code = 2


class ConfigError(AnalyzerError):
    """A flag or setting has a value that cannot be used."""


class LabError(AnalyzerError):
    """The emulated IMDS or its network namespace could not be made."""


class ServiceError(AnalyzerError):
    """The service manager cannot be spoken to, or privileges cannot be dropped."""
