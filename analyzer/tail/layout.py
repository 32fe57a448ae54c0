"""Lays out one line per request: as wide as the terminal, or whole in a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from analyzer.imds import AWS
from analyzer.logline.events import EVIDENCE, HEARTBEAT, LOST, REQUEST, STARTED, STOPPED
from analyzer.logline.line import Line, text_at, value_at
from analyzer.logline.strange import is_strange
from analyzer.tail import evidence
from analyzer.tail.callers import Who, who
from analyzer.text import decode_text, visible

_PLAIN = Style()
_DIM = Style(dim=True)
_V1 = Style(color="red", bold=True)
_UNKNOWN = Style(color="yellow", bold=True)
_ALARM = Style(color="yellow", bold=True)
_VERSION_STYLES = {"v1": _V1, "v2": Style(color="green"), "unknown": _UNKNOWN}

_OUTCOMES = {
    "success": ("", Style(color="green")),
    "rejected": ("rejected", Style(color="magenta", bold=True)),
    "not_found": ("not found", _PLAIN),
    "error": ("error", Style(color="yellow")),
    "no_response": ("no answer", Style(color="yellow")),
}

_VERSION_COLUMNS = 2  # "unknown" takes what it needs
_WHO_COLUMNS = 36
# A terminal narrower than this is written as if it were as wide: nothing can be told in less.
COLUMNS_MIN = 40
# Of what is no line of the analyzer's, so much is shown.
_FOREIGN_MAX = 1000


class Symbols(NamedTuple):
    """The symbols that not every terminal has."""

    arrow: str
    ellipsis: str
    times: str = "x"


def symbols(encoding: str) -> Symbols:
    """Return what a terminal of this encoding can show."""
    is_unicode = encoding.lower().startswith("utf")
    return Symbols(" ← ", "…", "\N{MULTIPLICATION SIGN}") if is_unicode else Symbols(" <- ", "...")


def _chain(actors: tuple[str, ...], symbols: Symbols) -> str:
    return visible(symbols.arrow.join(actors))


def phrase(caller: Who, symbols: Symbols) -> str:
    """Return all that is known of a caller, safe to show."""
    unit = f"unit {caller.unit}" if caller.unit else ""
    parts = (unit, caller.container, caller.user, caller.agent)
    said = [_chain(caller.actors, symbols), *(visible(part) for part in parts if part)]
    return ", ".join(said)


def fitted(caller: Who, symbols: Symbols, room: int) -> str:
    """Return as much of who it was as there is room for: what is told last goes first."""
    # Who called and who made it do so stay longest; where it ran tells the rest.
    without_agent = caller._replace(agent="")
    bare = without_agent._replace(user="")
    placed = bare._replace(unit="") if bare.container else bare
    nearest = placed._replace(actors=placed.actors[:2])
    alone = placed._replace(actors=placed.actors[:1])
    nowhere = nearest._replace(unit="", container="")
    for each in (caller, without_agent, bare, placed, nearest, alone, nowhere):
        said = phrase(each, symbols)
        if cell_len(said) <= room:
            return said
    return cut_to(phrase(alone, symbols), symbols, room)


def cut_to(text: str, symbols: Symbols, room: int) -> str:
    """Return as much of a text as there is room for."""
    if cell_len(text) <= room:
        return text
    kept_columns = max(room - cell_len(symbols.ellipsis), 0)
    return set_cell_size(text, kept_columns).rstrip() + symbols.ellipsis


class StyledText(NamedTuple):
    """A piece of text in one style. Holds nothing that a terminal acts on."""

    text: str
    style: Style = _PLAIN


class Layout:
    """Lays out lines. ``columns`` is the terminal's width, None where nothing is cut off."""

    def __init__(self, symbols: Symbols, *, is_utc: bool) -> None:
        self.columns: Optional[int] = None
        self._symbols = symbols
        self._is_utc = is_utc
        self._day = ""

    def rows(self, line: Line) -> list[list[StyledText]]:
        """Return a row for the line, and before it one for its day where that has changed."""
        day, clock = self._when(line.at_s)
        if self.columns is None:
            return [self._row(f"{day} {clock}", line)]
        row = self._row(clock, line)
        if day == self._day:
            return [row]
        self._day = day
        return [[StyledText(day, _DIM)], row]

    def foreign(self, raw: bytes) -> list[StyledText]:
        """Return a row for what is no line of the analyzer's."""
        shown = visible(decode_text(raw[:_FOREIGN_MAX]))
        if len(raw) > _FOREIGN_MAX:
            shown += self._symbols.ellipsis
        return self._cut([StyledText("not a line of the log: ", _ALARM), StyledText(shown)])

    def _row(self, when: str, line: Line) -> list[StyledText]:
        if line.event != REQUEST:
            style = _ALARM if line.event == LOST else _DIM
            said = visible(_event_words(line))
            return self._cut([StyledText(f"{when} ", _DIM), StyledText(f"-- {said}", style)])
        version = visible(line.text("imds", "version")) or "unknown"
        is_foreign = _is_for_another_cloud(line)
        style = _DIM if is_foreign else _VERSION_STYLES.get(version, _UNKNOWN)
        head = [
            StyledText(f"{when} ", _DIM),
            StyledText(f"{version:{_VERSION_COLUMNS}}", style),
            StyledText(" "),
        ]
        tail = self._outcome(line)
        used = _width(head) + _width(tail)
        request = visible(f"{line.text('http', 'request', 'method')} {line.text('url', 'path')}")
        request = request.strip() or f"({visible(line.text('imds', 'reason')) or 'unreadable'})"
        if query := visible(line.text("url", "query")):
            request += f"?{query}"
        caller, request = self._share(who(line.fields), request, used)
        rest = _DIM if is_foreign else _PLAIN
        return self._cut(
            [*head, StyledText(caller, rest), StyledText("  "), StyledText(request, rest), *tail]
        )

    def _outcome(self, line: Line) -> list[StyledText]:
        outcome = line.text("imds", "outcome")
        word, style = _OUTCOMES.get(outcome, (visible(outcome), _PLAIN))
        status = line.number("http", "response", "status_code")
        if status is not None:  # says the same, shorter; the word is for who reads it later
            word = str(status) if self.columns is not None else f"{status} {word}".rstrip()
        spans = [StyledText(f" {word}", style)] if word else []
        if _is_for_another_cloud(line):
            spans.append(StyledText(f" ({visible(line.text('imds', 'provider'))})", _DIM))
        if line.text("imds", "reason") == "fallback_after_token_failure":
            spans.append(StyledText(f" {self._fallback(line)}", _UNKNOWN))
        if value_at(line.fields, "imds", "forwarded") is True:
            spans.append(StyledText(" forwarded", _UNKNOWN))
        if through := visible(line.text("imds", "through")):
            spans.append(StyledText(f" through {through}", _DIM))
        if value_at(line.fields, "imds", "sent_on") is True:
            spans.append(StyledText(" sent on", _DIM))
        if is_strange(line.fields):  # somebody else may have asked
            spans.append(StyledText(" forged?", _V1))
        if line.calls > 1:
            spans.append(StyledText(f" {self._symbols.times}{line.calls}", _ALARM))
        return spans

    def _fallback(self, line: Line) -> str:
        outcome = line.text("imds", "token_request", "outcome")
        if self.columns is not None or not outcome:
            return "fallback"
        return f"fallback (token request: {_OUTCOMES.get(outcome, (visible(outcome),))[0]})"

    def _share(self, caller: Who, request: str, used: int) -> tuple[str, str]:
        """Divide what is left of a row between who and what."""
        if self.columns is None:
            return _pad(phrase(caller, self._symbols), _WHO_COLUMNS), request
        left = max(self.columns, COLUMNS_MIN) - used - len("  ")
        # The path gives way before the caller does: its last part says most.
        method, _, path = request.partition(" ")
        last = path[max(path.rfind("/", 0, -1), 0) :]
        least = cell_len(f"{method} {self._symbols.ellipsis}{last}")
        needed = min(cell_len(request), max(least, left - _WHO_COLUMNS))
        room = max(left - needed, left // 2)
        said = fitted(caller, self._symbols, room)
        said = _pad(said, min(_WHO_COLUMNS, room))
        return said, self._shortened(request, left - cell_len(said))

    def _shortened(self, request: str, room: int) -> str:
        """Leave out the middle of a request: the method and the path's end stay."""
        if cell_len(request) <= room:
            return request
        method, space, path = request.partition(" ")
        start = f"{method}{space}{self._symbols.ellipsis}" if space else self._symbols.ellipsis
        end = (path or method)[-room:]
        while end and cell_len(start) + cell_len(end) > room:
            end = end[1:]
        # Rather from a part's beginning, where there is one before the last part.
        return start + (end[max(end.find("/", 0, -1), 0) :])

    def _cut(self, spans: list[StyledText]) -> list[StyledText]:
        """Leave out what does not fit into the row."""
        if self.columns is None:
            return spans
        room = max(self.columns, COLUMNS_MIN)
        if _width(spans) <= room:
            return spans
        room -= cell_len(self._symbols.ellipsis)
        kept: list[StyledText] = []
        for span in spans:
            width = cell_len(span.text)
            if width > room:
                kept.append(StyledText(set_cell_size(span.text, max(room, 0)), span.style))
                break
            kept.append(span)
            room -= width
        return [*kept, StyledText(self._symbols.ellipsis)]

    def _when(self, at_s: Optional[float]) -> tuple[str, str]:
        if at_s is None:
            return self._day or "no date", "no time "
        moment = time.gmtime(at_s) if self._is_utc else time.localtime(at_s)
        return time.strftime("%Y-%m-%d", moment), time.strftime("%H:%M:%S", moment)


def _is_for_another_cloud(line: Line) -> bool:
    return line.text("imds", "provider") not in ("", AWS)


def _pad(text: str, columns: int) -> str:
    return text + " " * max(0, columns - cell_len(text))


def _width(spans: list[StyledText]) -> int:
    return sum(cell_len(span.text) for span in spans)


# --- the analyzer's own lines --------------------------------------------------------------

_COUNTED = ("v1", "v2", "unknown")


def _event_words(line: Line) -> str:
    """Return what one of the analyzer's own lines says."""
    say = _EVENTS.get(line.event)
    if say is not None:
        return say(line)
    said = [line.event.replace("_", " ")]
    said += filter(None, [line.text("log", "file", "path"), line.text("reason")])
    return ": ".join(said)


def _started(line: Line) -> str:
    return f"analyzer started, {line.text('observer', 'probe') or 'probe unknown'}"


def _stopped(line: Line) -> str:
    return f"analyzer stopped; it saw {_counts(line.fields.get('requests'))}"


def _heartbeat(line: Line) -> str:
    return f"heartbeat: {_counts(line.fields.get('requests'))}, {line.number('lost') or 0} lost"


def _lost(line: Line) -> str:
    count = line.number("count")
    since = text_at(line.fields, "since")
    said = f"{'some' if count is None else count} events lost"
    return f"{said} since {since}: {line.text('reason') or 'no reason given'}"


def _evidence(line: Line) -> str:
    return f"code of {evidence.who(line)}: {evidence.said(line) or 'nothing found'}"


def _counts(requests: object) -> str:
    counts = [(each, value_at(requests, each)) for each in _COUNTED]
    return ", ".join(f"{count} {each}" for each, count in counts if isinstance(count, int))


_EVENTS: Mapping[str, Callable[[Line], str]] = {
    STARTED: _started,
    STOPPED: _stopped,
    HEARTBEAT: _heartbeat,
    LOST: _lost,
    EVIDENCE: _evidence,
}
