"""Tells the literals that code uses as an address from those that it lists, refuses or explains.

What a literal is shows in its own text, in its neighbours between the same brackets, and in the
names of what holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software.script_languages import Language
from analyzer.software.script_lines import Lines
from analyzer.software.script_names import ADDRESS

# Hosts that stand beside the address in lists of what is refused, and in attacks.
_PRIVATE_HOST = re.compile(
    r"localhost|\b127\.\d+\.\d+\.\d+|\b0\.0\.0\.0|\b10\.\d+\.\d+\.\d+|\b192\.168\.\d|\b172\.(?:1[6-9]|2\d|3[01])\."
    r"|169\.254\.170\.2|169\.254\.0\.0|(?<![\w:])::1\b|\bfe80:|file:///|gopher://|\b168\.63\.129"
)
# Metadata servers of other clouds: beside a bare address only, since programs that find out their
# cloud have a table of whole URLs.
_METADATA_HOST = re.compile(
    r"100\.100\.100\.200|metadata\.(?:google|goog|azure|packet)|192\.0\.0\.192"
)
# Names of what is refused, let through, attacked or imitated.
_REFUSED = re.compile(
    r"block(?:ed|list|s\b|_?(?:hosts?|ips?|urls?|domains?|net|metadata))|black_?list|den(?:y|ied)|forbid|forbidden"
    r"|disallow|ssrf|payloads|attack|exploit|malicious|\bevil|unsafe|restricted|reserved|bogon|bloque|prohib"
    r"|reject|refus|private_?(?:ips|nets|networks?|hosts|ranges?|addresses|cidrs?)|is_?(?:private|internal|link_?local|metadata|blocked|safe)"
    r"|internal_?(?:hosts|ips)|no_?proxy|non_?proxy|bypass|exclu|ignore|allow|white_?list|trusted|mock|fake"
    r"|stub|dummy|ec2_metadata_service_endpoint|iptables|firewall|\bacl|vulnerab|guard|sanitiz|validat",
    re.IGNORECASE,
)
# Keys beside an address in tables of scanners, of their rules and of what they found.
_SCANNING = re.compile(
    r"[\"']?\b(?:indicators?|signatures?|severity|sensitive\w*|cve|cwe|mitre\w*|remediation|exploit\w*|vuln\w*"
    r"|risk|attack\w*|payloads?)[\"']?\s*[:=]",
    re.IGNORECASE,
)
# What these are told is read by people.
_TELLS = re.compile(
    r"(?:errorf?|print\w*|sprintf|warn\w*|info\w*|debug\w*|logf?|trace|panic\w*|fatal\w*|exception|usage|help"
    r"|fail\w*|abort|bail!|anyhow!|e?println!|format_err!|errors\.new)$",
    re.IGNORECASE,
)
# A server sends a client there, or listens itself.
_SERVES = re.compile(
    r"redirect\w*|(?:server|listen\w*|bind|serve\w*|writehead|app\.run)$", re.IGNORECASE
)
# The SDKs are told their end point, and add tokens by themselves.
_SDK_VALUE = re.compile(r"aws\.String$|\b(?:with)?endpoint(?:override|provider)?$", re.IGNORECASE)
# Names of texts for people.
_EXPLAINING = re.compile(
    r"desc(?:ription)?$|comment|message|msg$|help|title|summary|hint|usage|example|placeholder|docs?$|documentation"
    r"|reason|remediat|evidence|notes?$|steps$|recommend|references?$|^location$|rationale|impact|scenario|runbook|content$",
    re.IGNORECASE,
)
# Of these, all that is below them is text; steps and examples may be commands.
_EXPLAINING_ALL = re.compile(
    r"desc(?:ription)?$|summary|message|annotations?$|documentation|^notes?$|release_?notes",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"[\"']?([\w.-]*[A-Za-z_][\w.-]*)[\"']?\s*(?::\s*[&\w\[\]<>, ]+?)?\s*(?::?=>?|:)\s*[^=:,;()`]*$"
)
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`\n]*`")
_BRACKET = re.compile(r"[()\[\]{}]")
# Of a call that only makes a collection of its arguments.
_COLLECTS = re.compile(
    r"(?:set|frozenset|tuple|list|dict|array|hashset|of|aslist|listof|setof|arrayof|map|vec!|seq|freeze|qw|%[wi]"
    r"|url|uri|parse|ip_?address|ip_?network|parseip|parsecidr)\s*$",
    re.IGNORECASE,
)
# An address that is parsed is compared with others.
_PARSES = re.compile(
    r"parse_?(?:ip|addr|cidr)|ip_?addr(?:ess)?(?:\.parse)?$|inet_[ap]ton|is_?ip|ip_?network",
    re.IGNORECASE,
)
_CALLEE = re.compile(r"([\w.!%]+)\s*$")
# A brace after these, or after the type of a Go literal, opens a table; all others a block.
_TABLE = re.compile(r"(?:[=:(,\[{]|\breturn|\]\*?[\w.]+|\bnew\s[\w.<>\[\], ]+|\bvec!)\s*$")
_IN_QUERY = re.compile(r"[?&][\w.%\[\]-]+=[^\s\"'`&]*$")
# Words of commands and of raw requests, which have blanks between.
_COMMAND = re.compile(
    r"\b(?:curl|wget|nc|ncat|GET|HEAD|PUT|telnet|fetch|lynx|http|iwr|irm|lwp-request|socat)\s|Host:|Invoke-|/dev/tcp",
)
_OPENS_FUNCTION = re.compile(
    r"\s*(?:async\s+)?(?:def|class|function|sub|func|fn|module)\s+([\w.:]+)"
)
_AROUND_MAX = 3000
_LEVELS_MAX = 4
_UP_MAX = 80

_PATH = re.compile(r"/(?:latest|\d{4}-\d\d-\d\d)\b")


class Literal(NamedTuple):
    """The text between the quotes around an address, and where the address is in it."""

    text: str
    at: int

    @property
    def is_locator(self) -> bool:
        """Whether it is an address or a URL as a whole, maybe with names to fill in."""
        before = self.text[: self.at]
        return (
            re.fullmatch(r"(?:https?:(?://)?)?\[?", before) is not None
            and " " not in self.text.strip()
        )


def maybe_literal(text: str, start: int, end: int) -> Optional[Literal]:
    """Return the quoted text around a position of a line; None if there are no quotes."""
    for match in _STRING.finditer(text):
        if match.start() < start and end < match.end():
            return Literal(match[0][1:-1], start - match.start() - 1)
    return None


def mentions(lines: Lines, numbers: Iterable[int], language: Language) -> Iterator[int]:
    """Yield which of the numbered commands have the address in literals that nobody asks."""
    for number in numbers:
        text = lines.commands[number]
        found = list(ADDRESS.finditer(text))
        if found and all(_is_mention(lines, number, match, language) for match in found):
            yield number


def _is_mention(lines: Lines, number: int, match: re.Match[str], language: Language) -> bool:
    text = lines.commands[number]
    before = text[: match.start()]
    if _IN_QUERY.search(before):
        return True
    literal = maybe_literal(text, match.start(), match.end())
    if literal is not None and not language.is_shell:
        is_spaced = " " in literal.text.strip()
        if is_spaced and _COMMAND.search(literal.text) is None:
            return True
    outside = before[: len(before) - literal.at - 1] if literal is not None else before
    if _is_named_mention(outside):
        return True
    # The name of a function says nothing of what it calls by itself: `validate() { curl ...`.
    is_asked = language.call.search(before) is not None
    is_told = literal is not None and " " in literal.text.strip() and not language.is_shell
    has_path = _PATH.match(text, match.end()) is not None
    if _is_listed(lines, number, match, _Asked(has_path, is_asked, is_told)):
        return True
    return _is_in_mention(lines, number, is_asked=is_asked)


def _is_named_mention(before: str) -> bool:
    """Tell whether the name that the text before a literal gives to it says so."""
    match = _NAME.search(_bare(before))
    if match is None:
        return False
    return _REFUSED.search(match[1]) is not None or _EXPLAINING.search(match[1]) is not None


class _Asked(NamedTuple):
    """How a command has the address.

    ``has_path``: with a path of IMDS. ``is_asked``: behind a word that makes requests. ``is_told``:
    in a text with blanks.
    """

    has_path: bool
    is_asked: bool
    is_told: bool


def _is_listed(lines: Lines, number: int, match: re.Match[str], asked: _Asked) -> bool:
    """Tell whether the brackets around a literal hold other hosts, or have a name that says so."""
    whole = lines.whole
    start = lines.start(number)
    for opened, closed in _enclosures(whole, start + match.start(), start + match.end()):
        before = whole[whole.rfind("\n", 0, opened) + 1 : opened]
        verdict = _maybe_of_call(before, asked) if whole[opened] == "(" else None
        if verdict is not None:
            return verdict
        if _is_holder(before, whole[opened:closed], asked):
            return True
    return False


def _maybe_of_call(before: str, asked: _Asked) -> Optional[bool]:
    """Tell whether a call that is told the address makes none; None if it only collects."""
    if before.endswith(("$", "<")):  # a substitution of a shell
        return False
    callee = _CALLEE.search(before)
    if callee is None:
        return None
    if not asked.has_path and _PARSES.search(callee[1]) is not None:
        return True
    if _COLLECTS.search(callee[1]) is not None:
        return None
    wrong = (_REFUSED, _SERVES, _SDK_VALUE, *((_TELLS,) if asked.is_told else ()))
    return any(each.search(callee[1]) for each in wrong)


def _is_holder(before: str, content: str, asked: _Asked) -> bool:
    """Tell whether brackets hold mentions: by the text before them, and by their content."""
    if _is_named_mention(before):
        return True
    is_brace = content.startswith("{")
    if is_brace and not asked.is_asked and _REFUSED.search(_bare(before)) is not None:
        return True
    if is_brace and _TABLE.search(before) is None:  # a block of code
        return False
    return _has_others(content, has_path=asked.has_path) or _SCANNING.search(content) is not None


def _has_others(content: str, *, has_path: bool) -> bool:
    if _PRIVATE_HOST.search(content) is not None:
        return True
    return not has_path and _METADATA_HOST.search(content) is not None


def _enclosures(whole: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the brackets around a part of a text open and close, the innermost first."""
    low = max(0, start - _AROUND_MAX)
    opens = _unmatched(reversed(list(_BRACKET.finditer(whole, low, start))), "([{")
    closes = _unmatched(_BRACKET.finditer(whole, end, end + _AROUND_MAX), ")]}")
    for _, opened, closed in zip(range(_LEVELS_MAX), opens, closes):
        yield opened, closed


def _unmatched(brackets: Iterable[re.Match[str]], wanted: str) -> Iterator[int]:
    depth = 0
    for each in brackets:
        if each[0] not in wanted:
            depth += 1
        elif depth:
            depth -= 1
        else:
            yield each.start()


def _is_in_mention(lines: Lines, number: int, *, is_asked: bool) -> bool:
    """Tell whether a function, a class or a key around a command, by margins, says so."""
    margin = _margin(lines.commands[number])
    for at in range(number - 1, max(-1, number - _UP_MAX), -1):
        text = lines.commands[at]
        if not text.strip() or _margin(text) >= margin:
            continue
        margin = _margin(text)
        opened = _OPENS_FUNCTION.match(text)
        key = re.match(r"\s*(?:-\s+)?[\"']?([\w.-]+)[\"']?\s*:\s*[|>\[{-]*$", text)
        if opened is not None and not is_asked and _REFUSED.search(opened[1]) is not None:
            return True
        if key is not None and (_REFUSED.search(key[1]) or _EXPLAINING_ALL.search(key[1])):
            return True
        if not margin:
            return False
    return False


def _bare(text: str) -> str:
    return _STRING.sub(
        lambda each: each[0] if re.fullmatch(r"[\"'][\w.-]+[\"']", each[0]) else '""', text
    )


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip())
