"""Secrets are taken out of text here, before anything keeps or shows it.

What follows a name that announces a secret is replaced by ``[redacted]``, and so is
what looks like a token by itself. Shell references (``$TOKEN``, ``$(...)``) are no
secrets and stay. Every function is total, takes time linear in its input, and changes
nothing when it is applied again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

MASK = "[redacted]"

_FLAGS = re.IGNORECASE | re.ASCII

# Lower-case; text with none of these holds nothing that the patterns below could find.
# They are tried first because nearly every text is free of them.
_ALARMS = ("token", "secret", "authorization", "bearer", "aqae", "iqojb3jpz2lu", "fwogzxivyxdz")

# The number after ...-metadata-token-ttl-seconds is no secret: a name ends where it ends.
_NAME = re.compile(
    r"(?:(?P<header>(?:x-aws-ec2-)?metadata-token)"
    r"|(?P<credential>authorization)"
    r"|(?P<key>(?:session|security)[-_]?token|secret[-_]?access[-_]?key|oauth2-bearer)"
    r"|(?P<variable>token(?==|[\"']\s{0,8}[:=])))(?![\w-])",
    _FLAGS,
)
_SEPARATOR = re.compile(r"(?:[\s\"'\\:=,\]>]|%(?:20|22|27|3[AD]))*", _FLAGS)
# Tokens as they look without a name: IMDSv2's, and the two beginnings of STS session tokens.
_BARE = re.compile(r"(?:AQAE[\w+/=-]{36,}|(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[\w+/=-]{36,})", re.ASCII)

# How far a secret reaches, by what encloses it.
_TO_QUOTE = {'"': re.compile(r'[^"\n]*'), "'": re.compile(r"[^'\n]*")}
_TO_ANY_QUOTE = re.compile(r"[^\"'\n]*")
_TO_LINE_END = re.compile(r"[^\n]*")
_WORD = re.compile(r"(?:\[redacted\])?(?:\$\{\w+\}|[^\s\"'`;&|<>(){}\],\\])*", re.ASCII)

_REFERENCE = re.compile(r"\$(?:\w+|\{\w+\})", re.ASCII)
_SUBSTITUTIONS = ("$(", "`")
# What may stand before a header that is a whole argument: -HName: x, --header=Name: x.
_HEADER_OPTION = re.compile(r"\s{0,8}(?:-H\s{0,8}|--?[\w-]{1,32}[=\s])?", re.ASCII)
_OPTION_OR_URL = re.compile(r"-|[a-z][a-z0-9+.-]{0,15}://", _FLAGS)
_ONLY_SEPARATORS = " \t:="


def mask_text(text: str) -> str:
    """Return the text with ``[redacted]`` in place of every secret found in it."""
    return _mask(text)[0]


def mask_args(args: Sequence[str]) -> tuple[str, ...]:
    """Return an argument vector with ``[redacted]`` in place of every secret.

    A secret may stand in the argument that names it or in those that follow.
    """
    masked: list[str] = []
    announced: Optional[str] = None
    for arg in args:
        if announced is not None:
            if not arg.strip(_ONLY_SEPARATORS):
                masked.append(arg)
                continue
            if _OPTION_OR_URL.match(arg) is None:
                masked.append(MASK)
                # A scheme comes before the credential, and some credentials have spaces.
                announced = announced if announced == "credential" else None
                continue
        text, announced = _mask(arg)
        masked.append(text)
    return tuple(masked)


def _mask(text: str) -> tuple[str, Optional[str]]:
    """Mask one text; also return the kind of name it ends with, if its secret is yet to come."""
    folded = text.lower()
    for alarm in _ALARMS:
        if alarm in folded:
            break
    else:
        return text, None
    announced = None
    parts: list[str] = []
    done = position = 0
    while True:
        name = _NAME.search(text, position)
        if name is None:
            break
        separator = _SEPARATOR.match(text, name.end())
        between = separator.group() if separator is not None else ""
        position = name.end() + len(between)
        kind = name.lastgroup or ""
        assigned = ":" in between or "=" in between or "%3" in between
        if position == len(text):
            announced = kind if _is_announcement(kind, between, assigned=assigned) else None
            break
        if not between or (kind == "credential" and not assigned):
            continue
        if text.startswith(_SUBSTITUTIONS, position):
            continue
        value = _reach(text, name, kind, between).match(text, position)
        secret = value.group() if value is not None else ""
        if not secret or _REFERENCE.fullmatch(secret):
            continue
        parts += (text[done:position], MASK)
        done = position = position + len(secret)
    parts.append(text[done:])
    return _BARE.sub(MASK, "".join(parts)), announced


def _is_announcement(kind: str, between: str, *, assigned: bool) -> bool:
    """Say whether a name at the end of an argument makes the next one a secret.

    ``NAME=`` at the end is an empty variable before a command (``TOKEN= curl ...``),
    unless the name is a header's.
    """
    if kind == "header":
        return True
    if kind == "credential":
        return assigned
    return kind == "key" and "=" not in between


def _reach(text: str, name: re.Match[str], kind: str, between: str) -> re.Pattern[str]:
    """Choose how far the secret behind a name reaches."""
    start = name.start()
    quotes = [character for character in between if character in _TO_QUOTE]
    if quotes:
        if between[-1] in _TO_QUOTE:
            return _TO_QUOTE[between[-1]]
    elif start and text[start - 1] in _TO_QUOTE:
        return _TO_QUOTE[text[start - 1]]
    elif ":" in between and kind != "key" and _HEADER_OPTION.fullmatch(text, 0, start):
        return _TO_LINE_END
    return _TO_ANY_QUOTE if kind == "credential" else _WORD
