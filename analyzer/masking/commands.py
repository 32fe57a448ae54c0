"""Finds secrets behind options whose name tells nothing, as in ``mysql -p``."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

from analyzer.masking.alarms import AnyOf, compiled
from analyzer.masking.mask import MASK, Span
from analyzer.masking.programs import (
    ANY_ENDS,
    ANY_OPTION,
    ASSIGNING,
    BESIDE_USER,
    HINTS,
    LAST,
    NO_PASSWORD,
    PASSWORD_OPTIONS,
    PLAIN_NAMES,
    PROGRAMS,
    USER_OPTIONS,
    Rule,
)

# A word of a script, or what ends a command.
_WORD = re.compile(
    r"(?P<end>[;|&()\n]+)|(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\.|[^\s\"'\\;|&()<>`]|[\"'])+", re.DOTALL
)
_REFERENCE = re.compile(r"[\"']?(?:\$|`|\Z)")
_PORTS = re.compile(r"(?:[\d.]{7,15}:)?\d{1,5}(?::\d{1,5}|-\d{1,5})+(?:/\w+)?\Z")
_OPTION = re.compile(r"-[A-Za-z]\Z|--?[a-z][a-z0-9-]*(?:=|\Z)")
_CONTAINERS = re.compile(r"(?:docker|podman|nerdctl|kubectl|oc)\Z")
# Short options of curl that take no value: -sSfLuNAME:PASSWORD.
_BUNDLE = re.compile(r"-[aBfgGiIjkLlMnNOpqRsSvVZ0-46#]{1,16}([uU])(?=[^:]{1,128}:)")

PATH_MAX = 4096  # bytes of a path to a program
_LONGEST_BUNDLE = 9  # of short options written as one

_SQLPLUS = re.compile(r"(?:sqlplus\w?|sqlldr|expdp|impdp|exp|imp|rman)\Z")
_SQLPLUS_USER = re.compile(r"(?:userid=)?[\w$#]{1,128}/[^\s@/][^\s@]*(?=@|\Z)")
# A password may follow the name of a share.
_SHARE_CLIENTS = re.compile(r"(?:smbclient|net|mount\.cifs)\Z")
_SHARE = re.compile(r"[\"']?(?://|\\\\)")
_NO_SHARE_PASSWORD = re.compile(r"[\"']?[-/~.\\*]|[A-Za-z]:\Z")

ALARMS = tuple(alarm for alarm, _ in HINTS)
_ANY = AnyOf(ALARMS)
_BESIDE_USER = re.compile(BESIDE_USER)
_LONGEST_NAME = 24  # of a program in the table
_NAMES_MAX = 128  # of programs, whose rules are remembered
_LONGEST_OPTION = 64
_DASHES = ("-", "/")
# What openssl and AWS's client take from elsewhere.
_NO_VALUES = ("pass:", "file:", "fileb:", "env:", "fd:", "//")


@functools.cache
def _any_program() -> re.Pattern[str]:
    names = [each[0] for table in (PROGRAMS, LAST) for each in table]
    names += (each.pattern for each in (_SQLPLUS, _SHARE_CLIENTS, *(row[0] for row in ASSIGNING)))
    return re.compile("|".join(f"(?:{each})" for each in names))


@functools.lru_cache(maxsize=_NAMES_MAX)
def _rules_of(base: str) -> tuple[Rule, ...]:
    """Return the rules of a program by its name."""
    return tuple(rule for names, rule in PROGRAMS if compiled(names).match(base))


def find_in_words(words: Sequence[str]) -> Iterator[tuple[int, Span]]:
    """Yield the index of each word of one command that holds a secret, and where in it."""
    # Docker's own options and names of images come before what runs in a container.
    is_outside = bool(words) and _CONTAINERS.match(_base(words[0])) is not None
    rules: dict[str, list[Rule]] = {}  # by option
    known: set[str] = set()
    present: dict[re.Pattern[str], bool] = {}  # what rules need, and whether it is there
    for at, word in enumerate(words):
        for option, taken in _options(word, rules) if rules else ():
            for rule in taken:
                yield from _taken(words, at, option, rule)
        if word[:1] in _DASHES:
            yield from _of_any_program(words, at)
        if is_outside and at:
            is_outside = word != "exec"
            continue
        if word in PASSWORD_OPTIONS:
            yield from _beside_user(words, at)
        base = _base(word) if len(word) <= PATH_MAX else ""
        is_name = 1 < len(base) <= _LONGEST_NAME and base not in known
        if is_name and _any_program().match(base):
            known.add(base)
            _add_rules(base, words, rules, present)
            yield from _last(base, words, at)
            yield from _sqlplus(base, words, at)
            yield from _share(base, words, at)


def _add_rules(
    base: str,
    words: Sequence[str],
    rules: dict[str, list[Rule]],
    present: dict[re.Pattern[str], bool],
) -> None:
    for rule in _rules_of(base):
        if rule.needs is not None and rule.needs not in present:
            present[rule.needs] = any(map(rule.needs.match, words))
        if rule.needs is None or present[rule.needs]:
            for option in rule.options:
                taken = rules.setdefault(option, [])
                if rule not in taken:
                    taken.append(rule)


def find_commands(text: str, folded: str) -> Iterator[Span]:
    """Yield where secrets stand in commands that a text holds, as a script does."""
    if not _may_have_some(text, folded) and _BESIDE_USER.search(text) is None:
        return
    command: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        if word.lastgroup == "end":
            yield from _spans(command)
            command = []
        else:
            command.append(word)
    yield from _spans(command)


def _may_have_some(text: str, folded: str) -> bool:
    """Tell whether a text has the name of a program and a sign of an option that it has."""
    return _ANY.may_be_in(folded) and any(
        alarm in folded and any(hint in text for hint in hints) for alarm, hints in HINTS
    )


def _options(word: str, rules: Mapping[str, list[Rule]]) -> Iterator[tuple[str, list[Rule]]]:
    """Yield the options that a word is, begins with, or ends with, and their rules."""
    if word in rules:
        yield word, rules[word]
        return
    if word[:1] not in _DASHES:
        return
    for sign in "=:":
        name = word.partition(sign)[0]
        if name in rules and name != word:
            yield name, rules[name]
            return
    for length in (2, 3):  # -hp of rar
        glued = [each for each in rules.get(word[:length], ()) if each.is_glued]
        if glued and word[:2] != "--":
            yield word[:length], glued
            return
    bundle = _BUNDLE.match(word)
    if bundle is not None and f"-{bundle[1]}" in rules:
        yield bundle[0], [each for each in rules[f"-{bundle[1]}"] if each.separator == ":"]
    elif len(word) <= _LONGEST_BUNDLE and word[1:].isalpha() and f"-{word[-1]}" in rules:
        # -sSu: several short options, the last of which takes a name and a password
        yield f"-{word[-1]}", [each for each in rules[f"-{word[-1]}"] if each.separator]


def _spans(command: list[re.Match[str]]) -> Iterator[Span]:
    if len(command) > 1:
        for at, (begin, end) in find_in_words([word[0] for word in command]):
            start = command[at].start()
            yield start + begin, start + end


def _base(word: str) -> str:
    return word.rpartition("/")[2].strip("\"'")


def _taken(words: Sequence[str], at: int, option: str, rule: Rule) -> Iterator[tuple[int, Span]]:
    word = words[at]
    if word == option or (not word.startswith(option)):
        for index in range(at + 1, min(at + 1 + rule.words, len(words))):
            if _OPTION.match(words[index]):
                return
            yield from _value(words[index], index, 0, rule.separator)
    else:
        skip = len(option) + (word[len(option)] in "=:")
        yield from _value(word, at, skip, rule.separator)


def _value(word: str, at: int, begin: int, separator: str) -> Iterator[tuple[int, Span]]:
    """Yield the secret in a word from ``begin`` on, within the quotes around it."""
    end = len(word)
    if separator:
        found = word.find(separator, begin)
        if found < 0:
            return
        begin = found + 1
    if word[begin : begin + 1] in ("'", '"'):
        begin += 1
    if word[-1:] in ("'", '"') and end > begin:
        end -= 1
    value = word[begin:end]
    if value in ("", MASK) or _REFERENCE.match(value) or _PORTS.match(value):
        return
    if value.startswith(_NO_VALUES) or value == "stdin":
        return  # of openssl; a password there has a name
    if separator == ":" and value.isdigit() and word[:begin].strip("\"':").isdigit():
        return
    yield at, (begin, end)


def _of_any_program(words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    """Yield what stands behind options such as ``--creds`` and ``--pin``, by its form."""
    option, sign, value = words[at].partition("=")
    index, skip = (at, len(option) + 1) if sign else (at + 1, 0)
    if (
        not option.lower().endswith(ANY_ENDS)
        or len(option) > _LONGEST_OPTION
        or index >= len(words)
    ):
        return
    for names, form in ANY_OPTION:
        if names.match(option):
            word = value if sign else words[index]
            inside = word.strip("\"'")
            skip += word.find(inside)
            match = form.match(inside)
            if match is not None and not _REFERENCE.match(match[1]):
                yield index, (skip + match.start(1), skip + match.end(1))


def _beside_user(words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    """Yield the password of ``-u NAME -p PASSWORD``, which most programs agree on."""
    if at < 2 or at + 1 >= len(words) or words[at - 2] not in USER_OPTIONS:  # noqa: PLR2004
        return
    value = words[at + 1]
    if not (words[at - 1].startswith("-") or _OPTION.match(value) or NO_PASSWORD.match(value)):
        yield from _value(value, at + 1, 0, "")


def _last(base: str, words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    for program, needs, count in LAST:
        if compiled(program).match(base) and any(map(compiled(needs).match, words[at + 1 :])):
            values = [index for index in range(at + 2, len(words)) if words[index][:1] != "-"]
            for index in values[-count:]:
                yield from _value(words[index], index, 0, "")
    for names, verbs in ASSIGNING:
        if names.match(base) and any(map(verbs.match, words[at + 1 :])):
            for index in range(at + 2, len(words)):
                if words[index][:1] != "-" and not PLAIN_NAMES.match(words[index]):
                    yield from _value(words[index], index, 0, "=")


def _sqlplus(base: str, words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    if not _SQLPLUS.match(base):
        return
    for index in range(at + 1, len(words)):
        match = _SQLPLUS_USER.match(words[index])
        if match is not None:
            yield index, (words[index].index("/") + 1, match.end())


def _share(base: str, words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    """Yield the password behind the name of a share: ``smbclient //host/share PASSWORD``."""
    if not _SHARE_CLIENTS.match(base):
        return
    for index in range(at + 1, len(words) - 1):
        if _SHARE.match(words[index]) and not _NO_SHARE_PASSWORD.match(words[index + 1]):
            yield from _value(words[index + 1], index + 1, 0, "")
