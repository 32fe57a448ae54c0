"""Attaches the probe first, and imports the rest of the program while the ring fills.

``imds-analyzer run`` starts in this order:

1. ``__main__`` has SIGHUP and SIGUSR1 held (analyzer.recorder.daemon.signals).
2. :meth:`HeadStart.begin` learns from the flags and the configuration file which probe is wanted,
   and attaches it. From then on SIGTERM and SIGINT are held too: the ring may have calls in it.
3. ``cli`` and ``commands.run`` are imported. They read the flags and the file again, in full, and
   report what is wrong with them.
4. ``run`` opens the log and the metrics, and asks :meth:`HeadStart.take` for the probe.
5. ``run`` drops capabilities, takes signals and logs ``analyzer_started``. It sends READY=1 to
   systemd, and the pipeline reads the ring.

Step 2 decides nothing. It attaches only where it is sure what is wanted; ``take`` closes a probe
that is not what step 3 found, and attaches the right one. An error of step 2 is raised in step 4,
behind all errors that are found before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from analyzer.config.choices import ALLOWED, Wanted
from analyzer.errors import AnalyzerError
from analyzer.recorder.daemon.signals import hold_stops

if TYPE_CHECKING:
    from analyzer.recorder.sources.selection import Opened

# The flags of `run` that take a value: the setting in [capture], or "" where they have no say in
# how to attach. With any other word there is no head start: it is left to click.
CONFIG = "--config"
FLAGS = {
    "--source": "source",
    "--attach": "attach",
    "--ring-mib": "ring_mib",
    CONFIG: "",
    "--heartbeat": "",
    "--log-file": "",
    "--ready-file": "",
    "--repeats-per-s": "",
    "--response-wait": "",
    "--rotation": "",
    "--write-pcap": "",
    "--write-pcap-mib": "",
}


class AttachedSource(NamedTuple):
    """A source, what was tried before it, and since when it sees calls."""

    opened: Opened
    at_boottime_ns: int


class HeadStart:
    """A probe that is attached before anybody asks for it."""

    def __init__(self) -> None:
        self._wanted: Optional[Wanted] = None
        self._attached: Optional[AttachedSource] = None
        self._error: Optional[BaseException] = None

    def begin(self, words: Sequence[str]) -> None:
        """Attach what the words behind ``run`` ask for, if they are plain.

        What attaching raises is kept for :meth:`take`.
        """
        self._wanted = maybe_wanted(words)
        if self._wanted is None:
            return
        try:
            self._attached = _attach(self._wanted)
        except BaseException as error:  # noqa: BLE001 (raised by take)
            self._error = error

    def take(self, wanted: Wanted) -> AttachedSource:
        """Return the probe, which is to be closed then; attach it if it is not yet.

        Raises what attaching raised (see analyzer.recorder.sources.selection.open_source).
        """
        attached, error, is_same = self._attached, self._error, self._wanted == wanted
        if is_same and error is not None:
            raise error
        if is_same and attached is not None:
            self._attached = None
            return attached
        self.drop()
        return _attach(wanted)

    def drop(self) -> None:
        """Close the probe if nobody has taken it."""
        attached, self._attached = self._attached, None
        if attached is not None:
            attached.opened.source.close()


def maybe_wanted(words: Sequence[str]) -> Optional[Wanted]:
    """Return what the flags and the configuration file want, None where that is not certain."""
    flags = _flags(words)
    if flags is None:
        return None
    try:
        found = _settings(flags.get(CONFIG))
    except AnalyzerError:
        return None
    if not all(_is_allowed(name, value) for name, value in found.items()):
        return None
    given = {FLAGS[flag]: word for flag, word in flags.items() if FLAGS[flag]}
    for name, word in given.items():
        found[name] = next((each for each in ALLOWED[name] if str(each) == word), None)
    return None if None in found.values() else Wanted()._replace(**found)


def _flags(words: Sequence[str]) -> Optional[dict[str, str]]:
    """Return the flags with their values; None for words that only click understands."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        flag, is_joined, value = word.partition("=")
        if not is_joined:
            value = next(rest, "")
        is_plain = is_joined or value == "-" or not value.startswith("-")
        if flag not in FLAGS or flag in found or not value or not is_plain:
            return None
        found[flag] = value
    return found


def _settings(path: Optional[str]) -> dict[str, Any]:
    """Return what a configuration file says of how to attach. Raises ConfigError."""
    if path is None:
        return {}
    from analyzer.config import toml  # noqa: PLC0415 (only where there is a file)

    section = toml.parse(path, toml.read(path)).get("capture", {})
    if not isinstance(section, dict):
        return {}
    return {name: value for name, value in section.items() if name in ALLOWED}


def _is_allowed(name: str, value: object) -> bool:
    # To Python, true is 1 and so is 1.0.
    return any(type(value) is type(each) and value == each for each in ALLOWED[name])


def _attach(wanted: Wanted) -> AttachedSource:
    from analyzer.recorder.sources.selection import open_source  # noqa: PLC0415 (not with every command)

    opened = open_source(wanted.source, wanted.attach, wanted.ring_bytes, wants_wire=wanted.wire)
    at_ns = opened.source.clock.now_ns()
    hold_stops()
    return AttachedSource(opened, at_ns)
