"""The configured outputs of what is counted, opened and closed together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional, Protocol

from analyzer.config import Metrics
from analyzer.errors import SinkError
from analyzer.sinks.log import Counters
from analyzer.sinks.metrics.textfile import Textfile

if TYPE_CHECKING:
    from analyzer.sinks.metrics.endpoint import Endpoint
    from analyzer.sinks.metrics.exchange import Render


class Log(Protocol):
    """Takes lines about the analyzer itself; its methods may raise SinkError."""

    def set_probe(self, probe: str) -> None:
        """Say what captures; it stands in every line from now on."""
        ...

    def event(self, name: str, level: str, /, **fields: object) -> None:
        """Write one line."""
        ...

    @property
    def counters(self) -> Counters:
        """What became of the lines since the start."""
        ...

    def flush(self) -> None:
        """Pass on what is buffered."""
        ...

    def tick(self) -> None:
        """Look after itself, about once a second."""
        ...

    def reopen(self) -> None:
        """Go on in a new file because the present one was moved."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...


OpenLog = Callable[[str], Log]


class Outputs:
    """Opens all, or none where one of them cannot be had."""

    def __init__(self, settings: Metrics, render: Optional[Render], open_log: OpenLog) -> None:
        """``render`` is needed for prometheus. Raises AnalyzerError."""
        self.settings = settings
        self.textfile: Optional[Textfile] = None
        self.endpoint: Optional[Endpoint] = None
        self.emf_log: Optional[Log] = None  # None: the analyzer's own
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            if settings.textfile:
                self.textfile = Textfile(settings.textfile)
            if settings.prometheus and render is not None:
                # Takes the standard library's HTTP along, 6 MB.
                from analyzer.sinks.metrics.endpoint import Endpoint  # noqa: PLC0415

                self.endpoint = Endpoint(settings.prometheus, render)
            if settings.emf and settings.emf_file:
                self.emf_log = open_log(settings.emf_file)
            undo.pop_all()

    def close(self) -> None:
        """Close what is open, remove socket and textfile. May be called twice."""
        if self.endpoint is not None:
            self.endpoint.close()
        if self.textfile is not None:
            self.textfile.remove()
        if self.emf_log is not None:
            with contextlib.suppress(SinkError):
                self.emf_log.close()
        self.endpoint = self.textfile = self.emf_log = None
