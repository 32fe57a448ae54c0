"""Finds the lines of scripts that call IMDS, as ``file:line``, masked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

from analyzer.masking import mask_text
from analyzer.software.found import Found, ScriptLine
from analyzer.software.root import Root
from analyzer.software.script_beside import asked_beside, sends_tokens_beside
from analyzer.software.script_encoded import encoded
from analyzer.software.script_endings import of_ending, of_first_line, of_interpreter
from analyzer.software.script_languages import SHELL, Language
from analyzer.software.script_signs import may_hide_imds, may_name_imds
from analyzer.software.script_text import uses
from analyzer.software.script_use import CALL, Use
from analyzer.software.subject import Subject

# Lines of one caller: the first ones show where to look, and a log line has room for them.
LINES_MAX = 5
# Scripts are written by people; what is longer is generated, and its beginning says enough.
SCRIPT_BYTES_MAX = 256 << 10
TEXT_MAX = 160
_MASKED_MAX = 1024
# Files beside a script that are looked at if it has no such line itself.
_NEIGHBOURS_MAX = 64
_ENDINGS = (".js", ".cjs", ".mjs")
_SOURCED_MAX = 8
_SOURCED = re.compile(r"^\s*(?:\.|source)\s+[\"']?([^\s\"';|&$]+)", re.MULTILINE)

# Folders whose files have names without an ending, or hold commands in configuration.
_COMMANDS = re.compile(
    r"/(?:s?bin|cron\.[a-z]+|cron\.d|crontabs?|cron|init\.d|profile\.d|update-motd\.d|rc\.d"
    r"|[\w-]*hooks?(?:\.d)?|plugins?|checks?|libexec|scripts?|scripts\.d|per-(?:boot|instance|once)|dispatcher\.d|if-up\.d)/[^/.]+$"
    r"|/(?:crontab|anacrontab|rc\.local|profile|bashrc|\.bashrc|\.profile|\.bash_profile)$"
    r"|/(?:part-\d+|(?:user|vendor)-data(?:\.txt)?(?:\.i)?|_script\.sh|(?:Docker|Container)file(?:\.[\w-]+)?)$"
    r"|/[\w-]*(?:user_?data|cloud[-_](?:config|init))[\w-]*(?:\.txt)?$"
)
# Files without an ending that are no scripts, by the thousand; opening each would take seconds.
_DATA = re.compile(
    r"/(?:usr/share|usr/include|var/lib/(?:dpkg|apt|rpm|ucf)|var/cache|var/log|lib/modules|boot)/"
    r"|/(?:zoneinfo|terminfo|objects|ssl)/"
)


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield at most LINES_MAX lines of the script, else of the files that belong to it."""
    if not subject.script:
        return
    count = 0
    for path in _files(subject):
        for each in of_file(subject.root, path, of_interpreter(subject.executable)):
            yield each
            count += 1
            if count >= LINES_MAX:
                return
        if count:
            return


def is_wanted(path: str) -> bool:
    """Tell whether a file may be a script or hold commands."""
    if of_ending(path) is not None or _COMMANDS.search(path) is not None:
        return True
    return "." not in path.rpartition("/")[2] and _DATA.search(path) is None


def of_file(root: Root, path: str, language: Optional[Language] = None) -> Iterator[ScriptLine]:
    """Yield the lines of a file, those without a token first."""
    is_named = of_ending(path) is not None or _COMMANDS.search(path) is not None
    if not is_named and language is None and root.read(path, 2) != b"#!":
        return
    raw = root.read(path, SCRIPT_BYTES_MAX)
    is_plain = may_name_imds(raw)
    if not is_plain and not may_hide_imds(raw):
        return
    text = _decoded(raw)
    told = of_first_line(text.partition("\n")[0]) or of_ending(path) or language
    if told is None and (_COMMANDS.search(path) or text.startswith("#cloud-config")):
        told = SHELL
    if told is None:
        return
    found = uses(text, told) if is_plain else []
    if found and all(each.is_likely for each in found) and sends_tokens_beside(root, path, told):
        found = []
    elif is_plain and not found:
        found = asked_beside(root, path, text, told)
    found += _hidden(text)
    for each in sorted(found, key=lambda each: (each.kind != CALL, each.line)):
        yield ScriptLine(path, each.line, masked(each.text), each.kind)


def _hidden(text: str) -> Iterator[Use]:
    """Yield the lines of scripts within base64, at the lines of the file that have it."""
    for hidden in encoded(text):
        language = of_first_line(hidden.text.partition("\n")[0]) or SHELL
        for each in uses(hidden.text, language):
            yield each._replace(line=hidden.line)


def masked(text: str) -> str:
    """Return a line as it may be written down: masked, then cut."""
    return mask_text(text[:_MASKED_MAX], is_cut=len(text) > _MASKED_MAX)[:TEXT_MAX]


def _text(root: Root, path: str) -> str:
    return _decoded(root.read(path, SCRIPT_BYTES_MAX))


def _decoded(raw: bytes) -> str:
    return "" if b"\0" in raw[:1024] else raw.decode("utf-8", "replace")


def _files(subject: Subject) -> Iterator[str]:
    """Yield the script, then what it reads into itself, then the files of its kind beside it."""
    script = _maybe_file(subject.root, subject.script)
    if not script:
        return
    yield script
    folder = script.rpartition("/")[0]
    try:
        text = _text(subject.root, script)
    except OSError:
        return
    language = of_first_line(text.partition("\n")[0]) or of_ending(script)
    if language is SHELL:
        for match in list(_SOURCED.finditer(text))[:_SOURCED_MAX]:
            path = match[1]
            yield from _existing(subject.root, path if path.startswith("/") else f"{folder}/{path}")
        return
    for name in _names(subject.root, folder)[:_NEIGHBOURS_MAX]:
        path = f"{folder}/{name}"
        if path != script and language is not None and of_ending(path) is language:
            yield from _existing(subject.root, path)


def _maybe_file(root: Root, script: str) -> str:
    """Return the file of a script: Node adds the ending by itself. "" for a folder or none."""
    names = (script, *(script + ending for ending in _ENDINGS))
    return next((name for name in names if root.is_file(name)), "")


def _existing(root: Root, path: str) -> Iterator[str]:
    if root.is_file(path):
        yield path


def _names(root: Root, folder: str) -> list[str]:
    # What is installed for all is not the script's own.
    if not folder or folder.endswith(("/bin", "/sbin")):
        return []
    return root.maybe_names(folder)
