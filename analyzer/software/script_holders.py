"""Tells by what holds an address whether code asks it: brackets, calls, and names of values.

Lists of hosts that are refused, tables of scanners and arguments of messages are mentions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software.script_lines import Lines

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
REFUSED = re.compile(
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
_NAME = re.compile(
    r"[\"']?\b([\w.-]+)[\"']?\s*(?::\s*[&\w\[\]<>, ]+?)?\s*(?::?=>?|:)\s*[^=:,;()`]*$"
)
STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`\n]*`")
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
_AROUND_MAX = 3000
_LEVELS_MAX = 4
# Characters before a bracket or a literal that may name it. More would cost its square.
_BEFORE_MAX = 200


def is_named_mention(before: str) -> bool:
    """Tell whether the name that the text before a literal gives to it says so."""
    match = _NAME.search(_bare(before[-_BEFORE_MAX:]))
    if match is None:
        return False
    return REFUSED.search(match[1]) is not None or _EXPLAINING.search(match[1]) is not None


class Asked(NamedTuple):
    """Form in which a command has the address.

    ``has_path``: with a path of IMDS. ``is_asked``: behind a word that makes requests. ``is_told``:
    in a text with blanks.
    """

    has_path: bool
    is_asked: bool
    is_told: bool


def is_listed(lines: Lines, number: int, match: re.Match[str], asked: Asked) -> bool:
    """Tell whether the brackets around a literal hold other hosts, or have a name that says so."""
    whole = lines.whole
    start = lines.start(number)
    for opened, closed in _enclosures(whole, start + match.start(), start + match.end()):
        line_start = whole.rfind("\n", 0, opened) + 1
        before = whole[max(line_start, opened - _BEFORE_MAX) : opened]
        verdict = _maybe_of_call(before, asked) if whole[opened] == "(" else None
        if verdict is not None:
            return verdict
        if _is_holder(before, whole[opened:closed], asked):
            return True
    return False


def _maybe_of_call(before: str, asked: Asked) -> Optional[bool]:
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
    wrong = (REFUSED, _SERVES, _SDK_VALUE, *((_TELLS,) if asked.is_told else ()))
    return any(each.search(callee[1]) for each in wrong)


def _is_holder(before: str, content: str, asked: Asked) -> bool:
    """Tell whether brackets hold mentions: by the text before them, and by their content."""
    if is_named_mention(before):
        return True
    is_brace = content.startswith("{")
    if is_brace and not asked.is_asked and REFUSED.search(_bare(before)) is not None:
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


def _bare(text: str) -> str:
    return STRING.sub(
        lambda each: each[0] if re.fullmatch(r"[\"'][\w.-]+[\"']", each[0]) else '""', text
    )
