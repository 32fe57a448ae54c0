"""Finds out whether files beside one ask the addresses that it only has the names of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.software.root import Root
from analyzer.software.script_endings import of_ending
from analyzer.software.script_languages import Language
from analyzer.software.script_likely import asking, constants
from analyzer.software.script_use import Use

# Files of one project that are looked at, and the bytes of each.
_FILES_MAX = 128
_BYTES_MAX = 64 << 10
_NAME_LENGTH_MIN = 3
# Folders whose files belong to no single project.
_SHARED = re.compile(r"(?:/(?:bin|sbin|lib|etc|usr|opt|srv|home|var|root|tmp))?")


def asked_beside(root: Root, path: str, text: str, language: Language) -> list[Use]:
    """Return the lines with constants of a file that a file near it asks without a token."""
    found = constants(text, language)
    named = {name: use for name, use in found.items() if len(name) >= _NAME_LENGTH_MIN}
    if not named:
        return []
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, named))})\b")
    has_paths = asking(text).has_paths
    used: set[str] = set()
    for near in _near(root, path, language):
        other = _text(root, near)
        names = set(pattern.findall(other))
        if not names:
            continue
        told = asking(other)
        if told.has_tokens:
            return []
        if told.has_requests and (has_paths or told.has_paths):
            used |= names
    return [use for name, use in named.items() if name in used]


def sends_tokens_beside(root: Root, path: str, language: Language) -> bool:
    """Tell whether a file of the same folder and language has a token's header."""
    folder = path.rpartition("/")[0]
    if _SHARED.fullmatch(folder) is not None:
        return False
    near = (each for each in _near(root, path, language) if each.rpartition("/")[0] == folder)
    return any(asking(_text(root, each)).has_tokens for each in near)


def _near(root: Root, path: str, language: Language) -> Iterator[str]:
    """Yield the files of a language in a file's folder, in the one above, and in its others."""
    folder = path.rpartition("/")[0]
    above = folder.rpartition("/")[0]
    folders = [folder, *_below(root, folder)]
    if _SHARED.fullmatch(above) is None:
        folders += [above, *_below(root, above)]
    count = 0
    for place in dict.fromkeys(folders):
        for name in root.maybe_names(place)[:_FILES_MAX]:
            near = f"{place}/{name}"
            if near != path and of_ending(name) is language and root.is_file(near):
                yield near
                count += 1
                if count >= _FILES_MAX:
                    return


def _below(root: Root, folder: str) -> list[str]:
    names = root.maybe_names(folder)[:_FILES_MAX]
    return [f"{folder}/{name}" for name in names if "." not in name]


def _text(root: Root, path: str) -> str:
    try:
        return root.read(path, _BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
