"""Tells a line that only mentions the address from one that calls it: rules, messages, guards."""

from __future__ import annotations

import re

from analyzer.software.script_languages import Language

_MENTION = re.compile(
    r"\bip6?tables\b|\bnft\b|\bufw\b|\bfirewall|\bip\s+(?:-\d\s+)?(?:route|rule|addr)"
    r"|\broute\s+(?:add|del)|\bping6?\b|\btraceroute|\bgrep\b|\b(?:block|deny|reject|drop|ban)\w*\b"
    r"|\bassert|\braise\b|\bthrow\b|\bre\.(?:match|search|compile)|\bstartswith\b"
    # Functions of texts that are told the address.
    r"|\.(?:replace|replaceAll|g?sub!?|startsWith|endsWith|ends_?with\??|start_with\?|includes?\??|contains"
    r"|indexOf|split|count|removeprefix)\s*\("
    # What stands for IMDS in tests, guards, and texts of documents.
    r"|\b(?:stub_request|register_uri|nock|requests_mock|responses|respx|httpretty)\b\s*[.(]"
    r"|\b\w*(?:safe|blocked|allowed|forbidden|ssrf|isprivate|is_private|isinternal|is_internal)\w*\s*\("
    r"|[\"'](?:description|comment|message|help|title|summary)[\"']\s*:"
    r"|\b(?:logger|logging|log|console)\.\w+\s*\(|IPAddressDeny|\bip_address\(|\bip_network\("
    r"|\.equals\w*\s*\(|\bstrn?(?:case)?cmp\s*\(|\bHasPrefix\(|\.(?:matches|has|test)\s*\(|^\s*(?:case|when)\s+[\"'&]"
    r"|[!=]=|=~|!~|\bnot\s+in\b|\s-(?:eq|ne)\s",
    re.IGNORECASE,
)
_PRINTED = re.compile(
    r"\s*(?:echo|printf|print|puts|p|say|warn|die|log|logger|Write-\w+)\b", re.IGNORECASE
)
_MESSAGE = re.compile(
    _PRINTED.pattern + r"|\s*(?:sys\.exit|exit|abort|fail|croak|confess|[\w.]+\.error)\s*[(\"']",
    re.IGNORECASE,
)
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_PIPED = re.compile(r"\$\(|`|\||<\(")


def is_mention(text: str, language: Language) -> bool:
    """Tell whether a command that has the address does something else with it than call."""
    if language.is_shell and is_printed(text):
        return True
    outside = _MENTION.search(text)
    if outside is None:
        return not language.is_shell and _is_message(text, language)
    # `[ "$(curl ...)" == x ]` and `curl ... | grep` call all the same.
    call = language.call.search(text)
    is_first = call is not None and call.start() < outside.start()
    return not (is_first or (language.is_shell and call is not None and "$(" in text))


def _is_message(text: str, language: Language) -> bool:
    """Tell whether a line only says something; a client that is named in its text is no call."""
    if _MESSAGE.match(text) is None:
        return False
    return language.call.search(_TEXT.sub("", text)) is None and "`" not in text


def is_printed(text: str) -> bool:
    """Tell whether a command only prints; one that prints what another returns does more."""
    return _PRINTED.match(text) is not None and _PIPED.search(text) is None
