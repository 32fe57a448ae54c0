"""Finds what an interpreter was told to run: a script, a package or code on its command line.

A `#!` script needs no table: the kernel names the process after the script and puts the script's
path behind the interpreter. The table is for scripts that were named on the command line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

SCRIPT, PACKAGE, CODE = "script", "package", "code"
# The kernel keeps so many bytes of a process's name.
_COMM_MAX = 15
# The script of a `#!` stands behind the interpreter and its one optional argument.
_KERNEL_PUTS_AT = (1, 2)
# Files that hold a whole application.
_ARCHIVE = re.compile(r".*\.(?:jar|war|dll|pyz|phar|ear)", re.DOTALL)
_NEVER = re.compile(r"(?!)")


class Target(NamedTuple):
    """The target of an interpreter; ``text`` is a path, a name or code, ``kind`` says which."""

    kind: str
    text: str


class Interpreter(NamedTuple):
    """The rules by which a program's arguments name what it runs.

    The patterns are of whole words. A group in one is the value that stands in the same word.
    """

    names: re.Pattern[str]
    inline: re.Pattern[str] = _NEVER  # code follows
    package: re.Pattern[str] = _NEVER  # a module or archive follows
    naming: re.Pattern[str] = _NEVER  # the script follows
    valued: re.Pattern[str] = _NEVER  # a word follows that is not the script
    verbs: frozenset[str] = frozenset()  # a word before the script
    stdin: re.Pattern[str] = _NEVER  # the script comes by standard input
    is_shell: bool = False
    plain: str = SCRIPT  # what the first word that is no option is


def _row(
    names: str,
    *,
    inline: str = "(?!)",
    package: str = "(?!)",
    naming: str = "(?!)",
    valued: str = "(?!)",
    verbs: tuple[str, ...] = (),
    stdin: str = "(?!)",
    is_shell: bool = False,
    plain: str = SCRIPT,
) -> Interpreter:
    return Interpreter(
        names=re.compile(names),
        inline=re.compile(inline, re.DOTALL),
        package=re.compile(package, re.DOTALL),
        naming=re.compile(naming, re.DOTALL),
        valued=re.compile(valued, re.DOTALL),
        verbs=frozenset(verbs),
        stdin=re.compile(stdin),
        is_shell=is_shell,
        plain=plain,
    )


_PYTHON_FLAGS = "[bBdEhiIOPqRsSuvVx]*"
_SHELL_FLAGS = "[abefhiklmnprtuvxBCEHPT]*"


@functools.cache
def _interpreters() -> tuple[Interpreter, ...]:
    """Return the table; compiled when it is first needed, as the start has no need of it."""
    return (
    _row(
        r"(?:ba|da|a|z|k|mk|pdk|ya|o)?sh[\d.]*|rbash|rzsh|lksh",
        inline=rf"-{_SHELL_FLAGS}c[a-zA-Z]*",
        valued=rf"[-+]{_SHELL_FLAGS}[oO]|--rcfile|--init-file",
        stdin=rf"-{_SHELL_FLAGS}s[a-zA-Z]*",
        is_shell=True,
    ),
    _row(
        r"fish|t?csh|elvish|nu|xonsh",
        inline=r"-[a-zA-Z]*c|--command(?:=(.*))?|--commands",
        valued=r"-C|--init-command|-d|-D|-f|-o|--features|--debug",
        is_shell=True,
    ),
    _row(
        r"(?:python|pypy|platform-python)[\d.]*(?:-real|-config)?[dmt]?",
        inline=rf"-{_PYTHON_FLAGS}c(.+)?",
        package=rf"-{_PYTHON_FLAGS}m(.+)?",
        valued=rf"-{_PYTHON_FLAGS}[WX]|--check-hash-based-pycs",
    ),
    _row(r"perl[\d.]*", inline=r"-[acflnpsStTuUvwWX0-9]*[eE]", valued=r"-I"),
    _row(
        r"(?:j|m)?ruby[\d.]*|truffleruby",
        inline=r"-[alnpsSvwW]*e",
        valued=r"-[IrCEKF]|--encoding|--external-encoding",
    ),
    _row(
        r"node(?:js)?[\d.]*",
        inline=r"-(?:e|p|pe)|--eval(?:=(.*))?|--print(?:=(.*))?",
        valued=r"-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--env-file",
    ),
    _row(
        r"deno",
        inline=r"eval",
        valued=r"-c|--config|--import-map|--cert|--location|-L|--log-level",
        verbs=("run", "serve", "test", "task"),
    ),
    _row(
        r"bun",
        inline=r"-e|--eval|-p|--print",
        package=r"x",
        valued=r"-r|--preload|--cwd|-c|--config|--env-file",
        verbs=("run", "test"),
    ),
    _row(
        r"php(?:-cgi)?[\d.]*",
        inline=r"-[rBRE](.+)?|--run",
        naming=r"-[fF](.+)?|--file",
        valued=r"-[cdz]|--define|--php-ini",
    ),
    _row(
        r"javaw?",
        package=r"-jar|-m|--module(?:=(.*))?",
        valued=r"-cp|-classpath|--class-path|-p|--module-path|--source|--upgrade-module-path"
        r"|--add-(?:modules|exports|opens|reads)|--limit-modules",
        plain=PACKAGE,
    ),
    _row(r"lua(?:jit|u)?[-\d.]*|texlua", inline=r"-e(.+)?", valued=r"-l"),
    _row(r"Rscript|R", inline=r"-e", naming=r"--file=(.*)|-f", valued=r"-g|--gui|--encoding"),
    _row(r"(?:tclsh|wish)[\d.]*", valued=r"-encoding"),
    _row(r"expect[\d.]*", inline=r"-c", naming=r"-[fb]"),
    _row(
        r"pwsh(?:-preview)?|powershell",
        inline=r"(?i:-c|-command|-e|-ec|-encodedcommand)",
        naming=r"(?i:-f|-file)",
        valued=r"(?i:-ex|-ep|-executionpolicy|-wd|-workingdirectory|-o|-of|-outputformat"
        r"|-w|-windowstyle|-version|-inputformat|-settingsfile|-configurationname)",
    ),
    _row(
        r"[gmn]?awk", naming=r"-[fE](.+)?|--file(?:=(.*))?|--exec(?:=(.*))?", valued=r"-[Fv]",
        plain=CODE,
    ),
    _row(r"(?:dotnet|mono)(?:-sgen)?", valued=r"--runtimeconfig|--depsfile|--config",
         verbs=("exec", "run")),
    _row(r"julia", inline=r"-[eE]|--eval(?:=(.*))?", valued=r"-[JLCpt]|--project"),
    _row(r"guile[\d.]*", inline=r"-c", naming=r"-[sl]", valued=r"-[Le]"),
    _row(r"groovy|scala|elixir|escript|janet|racket|swipl|raku|osascript|gjs|qjs|io|crystal|sbcl",
         inline=r"-e|--eval"),
    # The loader and user-mode emulators run the program that their arguments name.
    _row(r"ld-linux.*|ld-musl.*|ld\.so.*|ld-[\d.]+\.so|ld64\.so.*",
         valued=r"--library-path|--argv0|--preload|--audit|--inhibit-rpath"),
    _row(r"qemu-[a-z\d_]+(?:-static)?", valued=r"-[LEUcrsgBRd0]|-cpu"),
)  # fmt: skip


def interpreter(file: str) -> Optional[Interpreter]:
    """Return how the program of this file name is told what to run; None for no interpreter."""
    return next((each for each in _interpreters() if each.names.fullmatch(file)), None)


def base(path: str) -> str:
    """Return the last part of a path."""
    return path.rstrip("/").rpartition("/")[2]


def kernel_script(name: str, file: str, args: Sequence[str]) -> Optional[Target]:
    """Return the script that the kernel started by its `#!` line, None for another process."""
    if not name or name in (file, base(args[0]) if args else ""):
        return None
    is_cut = len(name.encode("utf-8", "replace")) == _COMM_MAX
    for at in _KERNEL_PUTS_AT:
        script = base(args[at]) if at < len(args) else ""
        if script == name or (is_cut and script.startswith(name)):
            return _named(SCRIPT, args[at])
    return None


def target(told: Interpreter, args: Sequence[str]) -> Optional[Target]:
    """Return what an interpreter's arguments tell it to run, None for nothing."""
    words = iter(args[1:])
    verbs = told.verbs
    for word in words:
        for kind, pattern in (
            (CODE, told.inline),
            (PACKAGE, told.package),
            (SCRIPT, told.naming),
        ):
            match = pattern.fullmatch(word)
            if match is not None:
                return _named(kind, _value(match) or _behind(words, kind))
        if word == "-" or told.stdin.fullmatch(word):
            return None
        if word == "--":
            return _named(told.plain, next(words, ""))
        if told.valued.fullmatch(word):
            next(words, None)
        elif word in verbs:
            verbs = frozenset()
        elif word and not word.startswith(("-", "+", "@")):
            return _named(told.plain, word)
    return None


def _value(match: re.Match[str]) -> str:
    return next((group for group in match.groups() if group), "")


def _behind(words: object, kind: str) -> str:
    """Return the word behind an option; before code there may stand further options."""
    for word in words:  # type: ignore[attr-defined]
        if kind != CODE or not re.fullmatch(r"[-+][a-zA-Z]{1,3}|--", word):
            return str(word)
    return ""


def _named(kind: str, text: str) -> Optional[Target]:
    if not text:
        return Target(CODE, "") if kind == CODE else None
    if kind == SCRIPT and _ARCHIVE.fullmatch(text):
        return Target(PACKAGE, text)
    if kind == PACKAGE and text.endswith((".java", ".groovy")):
        return Target(SCRIPT, text)
    return Target(kind, text)
