"""Finds secrets behind a name, and where they end."""

from __future__ import annotations

import functools
import re
from typing import Optional

from analyzer.masking.alarms import any_of
from analyzer.masking.enclosed import end_of_brackets, glued
from analyzer.masking.mask import MASK, Span
from analyzer.masking.secret_names import (
    ALARMS,
    FOREIGN_ALARMS,
    foreign_name_pattern,
    name_pattern,
)

_FLAGS = re.IGNORECASE | re.ASCII

_NAME_CHARACTERS = "-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST_PREFIX = 64  # of a name: AWS_CONTAINER_..., fs.s3a.bucket.x...
# The shell's own variables.
_DIRECTORIES = ("PWD", "OLDPWD")
# Options that say where a secret comes from.
_ASKING = re.compile(r"--(?:ask|prompt|no|without|use|with|enable|disable)-", re.ASCII)
_FROM_FILE = "--from-file="
# A name between one of these and a colon is an image's or part of an ARN.
_PATHS = ("/", ":secret:")

# Between a name and its secret, as a header, a shell, JSON, an URL or a program's source has
# it. A plus or a dot joins strings only between spaces or quotes; some letters stand before
# strings. Spaces of Unicode too.
_SEPARATOR = re.compile(
    r"(?:[|>][-+]?\d?[ \t]{0,8}\n|\n[ \t]{0,16}-[ \t]"
    r"|[\s\u200b\ufeff\"'\\:=,\]>({]|\[(?!redacted\])|\$(?=[\"'])"
    r"|%(?:25)*(?:20|22|27|2c|3[ad]|5b|7b)|&(?:quot|apos|#34|#39);"
    r"|(?<=[\s\"'])[+.]{1,2}(?=[\s\"'])|(?<=[\s=:,(\[{+>])[bfru]{1,2}(?=[\"']))*",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s")
_ASSIGNS = re.compile(r"[:=]|%(?:25)*3[ad]", _FLAGS)

# How far a secret reaches, by what encloses it.
_QUOTES = "\"'"
_DEEPEST_ESCAPE = 32  # backslashes before a quote: five strings, each in the other
_LINE = re.compile(r"[^\n]*(?:\n[ \t][^\n]*)*")  # with the lines that continue it
_TO_ANY_QUOTE = re.compile(r"[^\"'\\\n]*(?:\\[^\n][^\"'\\\n]*)*")
_WORD = re.compile(
    r"(?:\[redacted\])?(?:\$\{[^}\n]{0,256}\}|\\[^rn\"'\s]|[^\s\"'`;&|<>(){}\],\\])*", re.ASCII
)
# Where YAML has what follows as a block or a list.
_BLOCK = re.compile(r"[|>][-+]?\d?[ \t]{0,8}\n|\n[ \t]{0,16}-[ \t]")
_OPENS = re.compile(r"[\[{]")
_CLOSES = frozenset("]}")
_WHOLE_WORD = re.compile(r"[^\s&\"']*\Z")

_SCHEME = re.compile(r"\s*(?:bearer|basic|token|negotiate|ntlm|\[redacted\])", _FLAGS)
_LONE_SCHEME = re.compile(r"\s*(?:[a-z]{3,12}|AWS4-HMAC-SHA256)\s*", _FLAGS)
_REFERENCE = re.compile(r"\$(?:\w+|\{\w+\})", re.ASCII)
_SWITCH = re.compile(r"true|false|yes|no|none|null|on|off|0|1", _FLAGS)
_FILE = re.compile(r"(?:@|file:)?(?:/|\.\.?/|~)|[\w./-]{1,256}\.(?:pem|key|pub|crt|json|p12|jks)\Z")
_FOREIGN_ALARM = any_of(FOREIGN_ALARMS)
_SUBSTITUTIONS = ("$(", "`")
_TEMPLATE = re.compile(r"`(?=\s*(?:bearer|basic)\s)", _FLAGS)  # JavaScript's string
# What may stand before a header that is a whole argument: -HName: x, --header=Name: x.
_HEADER_OPTION = re.compile(r"\s{0,8}(?:-H\s{0,8}|--?[\w-]{1,32}[=\s])?", re.ASCII)


def find_named(text: str, folded: str) -> tuple[list[Span], Optional[str]]:
    """Return where secrets stand that names announce; ``folded`` is the text in lower case.

    Also return the kind of name that the text ends with, if its secret is yet to come:
    ``header``, ``key``, ``variable``, ``credential``, or ``authorization`` if a sign that
    assigns must come first.
    """
    if _FOREIGN_ALARM.search(folded) is not None:
        return _find(text, folded, foreign_name_pattern())
    for alarm in ALARMS:
        if alarm in folded:
            return _find(text, folded, name_pattern())
    return [], None


def _find(text: str, folded: str, names: re.Pattern[str]) -> tuple[list[Span], Optional[str]]:
    spans: list[Span] = []
    position = 0
    while True:
        name = names.search(folded, position)
        if name is None:
            return spans, None
        kind = name.lastgroup or ""
        start = _start_of_name(text, name.start())
        if kind in ("option", "variable") and not _is_name(text, kind, start, name.end()):
            position = name.end()
            continue
        position = _behind_separator(text, name.end())
        between = text[name.end() : position]
        if position == len(text):
            return spans, _announced(text, start, kind, between)
        if not between or (kind == "credential" and not _ASSIGNS.search(between)):
            continue
        begin, end = _secret(text, start, kind, between, position)
        position = end  # what was looked at is not looked at again: this bounds the time
        if begin == end:
            continue
        spans += [(begin, end), *glued(text, begin, end)]
        position = spans[-1][1]
        if kind == "credential" and _LONE_SCHEME.fullmatch(text, begin, end):
            # 'Bearer ' + 'x', or the credential is an argument of its own.
            position = _behind_separator(text, end)
            if position == len(text):
                return spans, kind
            begin, end = _secret(text, position, "key", text[end:position], position)
            if begin < end:
                spans.append((begin, end))
                position = end


def _is_name(text: str, kind: str, start: int, end: int) -> bool:
    """Tell whether a word is a name here: an option, or no part of a path."""
    if kind == "option":
        return text.startswith("-", start) and _ASKING.match(text, start) is None
    if text.endswith(_FROM_FILE, 0, start):
        return False
    # /password:x at the very beginning is an option, too.
    is_image = start > 1 and text.startswith(":", end) and text.endswith(_PATHS, 0, start)
    return text[start:end] not in _DIRECTORIES and not is_image


def _secret(text: str, start: int, kind: str, between: str, position: int) -> Span:
    """Return where the secret of a name begins and ends.

    Where there is none, both are the end of what stands in its place.
    """
    opening = _OPENS.search(between)
    if opening is not None and _CLOSES.isdisjoint(between[opening.end() :]):
        begin = position - len(between) + opening.end()
        if text.startswith(MASK, begin):
            return position, position
        return begin, end_of_brackets(text, begin)
    if text.startswith(_SUBSTITUTIONS, position):
        is_template = kind == "credential" and _TEMPLATE.match(text, position) is not None
        is_string = text[position] == "`" and kind in ("variable", "key") and _is_member(between)
        if not (is_template or is_string):
            return position, position
        position += 1
        end = text.find("`", position)
        return position, len(text) if end < 0 else end
    end = _end_of_secret(text, start, kind, between, position)
    return end if _is_none(text, kind, position, end) else position, end


def _is_member(between: str) -> bool:
    """Tell whether a name is a member's, which a colon tells from its value."""
    return ":" in between and "=" not in between


def _is_none(text: str, kind: str, position: int, end: int) -> bool:
    """Tell whether what stands in a secret's place is none: a reference, a call, a switch."""
    if _REFERENCE.fullmatch(text, position, end):
        return True
    if kind in ("header", "credential"):
        return False
    if kind == "file" and _FILE.match(text, position, end):
        return True
    # What is called is a function, not a secret: token=get(...).
    is_call = kind == "variable" and text[end : end + 1] == "("
    return is_call or _SWITCH.fullmatch(text, position, end) is not None


def _start_of_name(text: str, start: int) -> int:
    before = text[max(0, start - _LONGEST_PREFIX) : start]
    return start - len(before) + len(before.rstrip(_NAME_CHARACTERS))


def _behind_separator(text: str, position: int) -> int:
    separator = _SEPARATOR.match(text, position)
    return position if separator is None else separator.end()


def _announced(text: str, start: int, kind: str, between: str) -> Optional[str]:
    """Return the kind if a name at the end of an argument makes the next one a secret.

    ``NAME=`` at the end is an empty variable before a command (``TOKEN= curl ...``),
    unless the name is a header's.
    """
    if kind == "header":
        return kind
    if kind == "credential":
        if _ASSIGNS.search(between):
            return kind
        # Unless the next one assigns. A cookie's option does not.
        if text.lower().startswith("--cookie"):
            return "variable"
        return "authorization" if not start else None
    is_alone = kind == "variable" and between == ":" and _SPACE.search(text) is None
    if is_alone or text.startswith("."):  # a prompt's form; jq's name of a member
        return kind if is_alone else None
    is_option = text.startswith("-") and not between
    has_colon = ":" in between
    is_name = "=" not in between and (has_colon or not start)
    return kind if is_name and (kind in ("key", "file") or is_option or has_colon) else None


def _end_of_secret(text: str, start: int, kind: str, between: str, position: int) -> int:
    """Return where the secret at ``position`` ends, whose name begins at ``start``."""
    if between and between[-1] in _QUOTES:
        return _end_of_quoted(text, position - 1, position)
    has_quotes = '"' in between or "'" in between
    if not has_quotes and start and text[start - 1] in _QUOTES:
        return _end_of_quoted(text, start - 1, position)
    pattern = _WORD
    is_header = kind in ("header", "credential") and ":" in between and not has_quotes
    if _BLOCK.search(between):
        return _line(text, position)
    if is_header and _HEADER_OPTION.fullmatch(text, 0, start):
        pattern = _LINE
    elif kind == "credential":
        # One word, or a list with quotes of its own.
        pattern = _TO_ANY_QUOTE if _SCHEME.match(text, position) else _LINE
    reached = pattern.match(text, position)
    end = position if reached is None else reached.end()
    if pattern is not _WORD or start or has_quotes or text[end : end + 1] == "(":
        return end
    whole = None if text[position:end] == MASK else _WHOLE_WORD.match(text, position)
    return end if whole is None else whole.end()


def _line(text: str, position: int) -> int:
    reached = _LINE.match(text, position)
    return position if reached is None else reached.end()


def _end_of_quoted(text: str, opening: int, position: int) -> int:
    """Return where the quotes that opened at ``opening`` are closed, or the line ends.

    A quote behind more backslashes than the opening one had is part of what is quoted.
    """
    before = text[max(0, opening - _DEEPEST_ESCAPE) : opening]
    level = len(before) - len(before.rstrip("\\"))
    closing = _closing(text[opening], level).search(text, position)
    return len(text) if closing is None else closing.start()


@functools.lru_cache(maxsize=2 * _DEEPEST_ESCAPE + 2)
def _closing(quote: str, level: int) -> re.Pattern[str]:
    return re.compile(rf"(?<!\\)(?:\\{{0,{level}}}{quote}|\n(?![ \t]))")
