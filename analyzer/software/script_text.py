"""Finds the lines of a script that call IMDS, and tells calls from mere mentions.

A line counts as a call if it hands the address to something that makes HTTP calls. Comments,
proxy exceptions, firewall rules, messages and comparisons are mentions. The text is judged by
patterns in linear time; nothing is executed.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from analyzer.software import settings_text
from analyzer.software.script_commands import Command, commands_of
from analyzer.software.script_languages import Language
from analyzer.software.script_likely import likely, likely_commands, without_mentions
from analyzer.software.script_lines import Lines
from analyzer.software.script_mentions import is_mention, is_printed
from analyzer.software.script_names import ADDRESS, HEADER, Names
from analyzer.software.script_use import CALL, TOKEN, TOOL, Use, use_at

# The metadata servers of other clouds have the same address: Google's, Azure's, Oracle's.
_OTHERS = re.compile(
    r"metadata-flavor|computeMetadata|metadata\.google|\bmetadata[\"']?\s*(?::|=>|=|,)\s*[\"']?true\b"
    r"|Bearer Oracle|[\"'}/]metadata/(?:instance|identity|scheduledevents|v1)"
    r"|/opc/v\d|/openstack/|/hetzner/",
    re.IGNORECASE,
)
_AWS = re.compile(r"meta-data|/latest|dynamic/instance-identity|\d/user-data")
_TOOLS = re.compile(
    r"(?:^|[\s;|&(`=\"'])(?:[\w./-]*/)?(?:ec2metadata|ec2-metadata)(?=$|[\s;|&)`\"'])"
)
_CALLED = re.compile(r"\b([A-Za-z_][\w.]*)\s*\(\s*[frbu]?[\"'`](?:https?://)?\[?$")

# A client of a library, or of the script's own, that no table knows.
_GENERIC = re.compile(
    r"\b\w*(?:http|client|session|browser|agent|conn|requester|fetcher)\w*\s*(?:\.|->|::)\s*"
    r"(?:get|load|fetch|request|open|read|head|download)\w*\s*[(\s]",
    re.IGNORECASE,
)
# A property of an object that a client is told: `{ host: '169.254.169.254', path: ... }`.
_PROPERTY = re.compile(
    r"\b(?:host(?:name)?|url|uri|base_?ur[il])[\"']?\s*(?::|=>)?\s*[frbu]?[\"'`](?:https?://)?\[?$",
    re.IGNORECASE,
)
# Values of curl's options that are sent, or that name what is not called through a proxy.
_OPTION = re.compile(
    r"\s(?:--noproxy|--data(?:-\w+)?|-d|--json|--form|-F|--referer|-e|--user-agent|-A|--header|-H)"
    r"(?:\s+|=)(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"']+)"
)
_SUBSTITUTED = re.compile(r"\$\(|`")
# The header comes from a file that the script wrote: `-K FILE`, `-H @FILE`.
_HEADER_FILE = re.compile(r"\s(?:-K|--config|(?:-H|--header)\s*[\"']?@)")
# What a bare call would need to send the header.
_HEADED = re.compile(r"header|\*\*|kwargs|opt|context|conf|init|ctx", re.IGNORECASE)
# Headers that go with all calls of a client.
_BY_DEFAULT = re.compile(r"defaults?\.headers|interceptors|headers\.update", re.IGNORECASE)
# What is printed goes to a client: `done | xargs -n 1 curl -s`, `| wget -i -`.
_FED = re.compile(
    r"\bxargs\b[^|]{0,200}?\b(?:curl|wget)\b"
    r"|\bwget\b[^|]{0,200}?\s(?:-i|--input-file)[\s=]*-(?:\s|$)"
)
_PRINTED_URL = re.compile(
    r"\s*(?:echo|printf\s+(?:\"%s\\n\"|'%s\\n'))\s+[\"']?https?://[^\s\"']+[\"']?\s*(?:\||$)"
)

# What runs a command that stands in a text, or hands it to a machine that will.
_RUNS = re.compile(
    r"subprocess|system\b|popen|getoutput|check_output|call\(|\bexec|spawn|shell|\bsh\b|bash|%x|\bqx|Open3"
    r"|Process|Command|user.?data|\brun\w*\(|sudo|\bssh|cmd|backtick|generate\(",
    re.IGNORECASE,
)
_WITH_BACKTICKS = ("ruby", "perl", "php")
_CURL = re.compile(r"curl|wget", re.IGNORECASE)

_TOOL_NAMES = ("ec2metadata", "ec2-metadata")


class _File(NamedTuple):
    """Facts about a whole file.

    ``is_aware``: it has the header somewhere. ``has_call``: it calls something. ``is_fed``: it
    hands what it prints to a client.
    """

    text: str
    language: Language
    names: Names
    is_aware: bool
    has_call: bool
    is_fed: bool
    runs_commands: bool


def uses(text: str, language: Language) -> list[Use]:
    """Return the lines that call IMDS, in their order."""
    api = language.api if language.api and language.api.used.search(text) else None
    if _OTHERS.search(text) is not None and _AWS.search(text) is None:
        return []
    commands = without_mentions(list(commands_of(text, language)), language)
    lines = Lines([each.text for each in commands])
    if api is None and not lines.has(ADDRESS) and not lines.has(_TOOLS):
        return []
    names = Names(lines, is_shell=language.is_shell, call=language.call)
    numbers = names.of_interest() | lines.with_texts(_TOOL_NAMES)
    if api is not None:
        numbers |= lines.with_pattern(api.call)
    file = _File(
        text,
        language,
        names,
        is_aware=lines.has(HEADER),
        has_call=lines.has(language.call),
        is_fed=language.is_shell and _is_fed(lines),
        runs_commands=_RUNS.search(text) is not None
        or (language.name in _WITH_BACKTICKS and "`" in text),
    )
    found = (_use(commands[number], file) for number in sorted(numbers))
    chosen = [each for each in found if each is not None]
    if chosen or file.is_aware:
        return chosen
    found_likely = likely(commands, lines, language)
    if not found_likely and language.name == "shell":
        found_likely = likely_commands(commands, lines, names)
    return [use_at(each, ADDRESS, CALL)._replace(is_likely=True) for each in found_likely]


def _is_fed(lines: Lines) -> bool:
    numbers = lines.with_texts(("xargs", "wget"))
    return any(_FED.search(lines.commands[number]) for number in numbers)


def _use(command: Command, file: _File) -> Optional[Use]:
    language = command.read.language or file.language
    if file.language.is_shell and _TOOLS.search(command.text) and not _is_read(command):
        return use_at(command, _TOOLS, TOOL)
    is_aware = file.is_aware and not language.is_shell
    api = language.api
    if api is not None and api.call.search(command.text) and api.used.search(file.text):
        return use_at(command, api.call, TOKEN if is_aware else CALL)
    if _is_told(command.text, file):
        return use_at(command, ADDRESS, TOKEN if file.is_aware else CALL)
    if not _calls_address(command, language, file):
        return None
    has_token = is_aware and not _is_bare(command.text, language, file)
    if file.is_aware and language.is_shell and _HEADER_FILE.search(command.text):
        has_token = True
    if file.names.has_header(command.text):
        has_token = True
    return use_at(command, ADDRESS, TOKEN if has_token else CALL)


def _is_bare(text: str, language: Language, file: _File) -> bool:
    """Tell whether a call has the address as an argument, and none that could bring the header."""
    match = language.bare.search(text) if language.bare else None
    if match is None or _BY_DEFAULT.search(file.text) is not None:
        return False
    depth, end = 1, match.end()
    while end < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    arguments = text[match.end() : end]
    return depth == 0 and file.names.has_address(arguments) and not _HEADED.search(arguments)


def _calls_address(command: Command, language: Language, file: _File) -> bool:
    """Tell whether a command hands the address to something that makes calls."""
    text = _without_options(command.text) if file.language.is_shell else command.text
    if not file.names.has_address(text) or (file.language.is_shell and _is_read(command)):
        return False
    return not is_mention(text, language) and _is_call(text, language, file)


def _is_told(text: str, file: _File) -> bool:
    """Tell whether settings or another command hand the address of this line to a client."""
    match = ADDRESS.search(text)
    if match is None or not file.language.is_shell:
        return False
    if settings_text.is_call(text, match.start(), file.text):
        return True
    is_script = file.language.name != "configuration"
    if settings_text.is_setting(text, match.start(), is_script=is_script):
        return True
    return file.is_fed and _PRINTED_URL.match(text) is not None


def _without_options(text: str) -> str:
    """Return a command without values of options that are not what it calls."""
    if "curl" not in text:
        return text
    return _OPTION.sub(lambda each: each[0] if _SUBSTITUTED.search(each[0]) else " ", text)


def _is_call(text: str, language: Language, file: _File) -> bool:
    if language.call.search(text) is not None:
        if language.is_shell or file.runs_commands:
            return True
        # A command in a text is one only if something runs it.
        if language.call.search(_CURL.sub("", text)) is not None:
            return True
    if file.language.is_shell:
        return file.language.call.search(text) is not None or file.names.has_client(text)
    if _GENERIC.search(text) is not None:
        return True
    return file.has_call and (file.names.hands_over(text) or _is_told_by_name(text))


def _is_told_by_name(text: str) -> bool:
    # A function of its own is told the address, and the file makes calls somewhere.
    match = ADDRESS.search(text)
    if match is None:
        return False
    before = text[: match.start()]
    return _CALLED.search(before) is not None or _PROPERTY.search(before) is not None


def _is_read(command: Command) -> bool:
    """Tell whether a person reads the line: it only prints, or is in a text that is printed."""
    if command.read.is_printed:
        return command.read.is_quoted or _SUBSTITUTED.search(command.text) is None
    return command.read.language is None and is_printed(command.text)
