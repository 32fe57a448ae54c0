"""Reduces arguments to the program, its script and the names of its options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_LONG = re.compile(r"--[A-Za-z][A-Za-z0-9_.-]{0,63}(?=\Z|=)")
_JAVA = re.compile(r"-[A-Za-z][A-Za-z.]{0,127}(?=\Z|[:=])")


class _Interpreter(NamedTuple):
    """A program that runs a script, and its options that take a word of their own."""

    names: re.Pattern[str]
    with_value: tuple[str, ...]
    # Behind these there is no script to come, and behind those the script is named.
    inline: tuple[str, ...]
    naming: tuple[str, ...] = ()


_INTERPRETERS: tuple[_Interpreter, ...] = tuple(
    _Interpreter(re.compile(names + r"\Z"), with_value, inline, naming)
    for names, with_value, inline, naming in (
        (r"(?:python|pypy)[\d.]*", ("-W", "-X", "-Q"), ("-c",), ("-m",)),
        (r"(?:ba|da|z|k|mk|a|fi)?sh|busybox", ("-o", "-O", "+o", "+O"), ("-c",), ()),
        (
            r"node|nodejs|bun|deno",
            ("-r", "--require", "--import"),
            ("-e", "-p", "--eval", "--print"),
            (),
        ),
        (r"ruby[\d.]*|jruby", ("-I", "-r", "-C"), ("-e",), ()),
        (r"perl[\d.]*", ("-I",), ("-e", "-E"), ()),
        (r"php[\d.]*", ("-c", "-d", "-S", "-t"), ("-r",), ("-f",)),
        (
            r"java",
            (
                "-cp",
                "-classpath",
                "--class-path",
                "-p",
                "--module-path",
                "--add-opens",
                "--add-modules",
            ),
            (),
            ("-jar", "-m", "--module"),
        ),
        (
            r"Rscript|lua[\d.]*|tclsh[\d.]*|dotnet|mono|pwsh",
            (),
            ("-e", "-Command", "-c"),
            ("-File",),
        ),
    )
)


def outline(args: Sequence[str]) -> tuple[str, ...]:
    """Return the program, its script, and the names of options, without any value.

    ``args`` are masked already. Of short options the letter is kept: behind it there may be a
    value without a space between.
    """
    if not args:
        return ()
    base = args[0].rpartition("/")[2].lstrip("-")
    interpreter = next((each for each in _INTERPRETERS if each.names.match(base)), None)
    kept = [args[0]]
    is_java = base == "java"
    wants_script = interpreter is not None
    words = iter(args[1:])
    for word in words:
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            if wants_script:
                kept.append(word)
                wants_script = False
            continue
        kept += _name(word, is_java=is_java and wants_script)
        if interpreter is None or not wants_script:
            continue
        if word in interpreter.naming:
            kept += [script for script in [next(words, "")] if script]
            wants_script = False
        elif word in interpreter.inline:
            wants_script = False
        elif word in interpreter.with_value:
            next(words, None)
    return tuple(kept)


def _name(word: str, *, is_java: bool) -> list[str]:
    """Return the name of an option, if it is one."""
    if word.startswith("--"):
        match = _LONG.match(word)
        return [match[0]] if match is not None else []
    if is_java:
        match = _JAVA.match(word)
        return [match[0]] if match is not None else [word[:2]]
    return [word[:2]] if word[1].isalpha() else []
