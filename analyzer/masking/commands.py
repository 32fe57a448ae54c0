"""Secrets that a program takes by an option whose name tells nothing: ``mysql -p``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from analyzer.masking.mask import MASK, Span

# A word of a script, or what ends a command.
_WORD = re.compile(
    r"(?P<end>[;|&()\n]+)|(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\.|[^\s\"'\\;|&()<>`]|[\"'])+", re.DOTALL
)
_REFERENCE = re.compile(r"[\"']?(?:\$|`|\Z)")
_PORTS = re.compile(r"(?:[\d.]{7,15}:)?\d{1,5}(?::\d{1,5}|-\d{1,5})+(?:/\w+)?\Z")
_OPTION = re.compile(r"-[A-Za-z]\Z|--?[a-z][a-z0-9-]*(?:=|\Z)")
_CONTAINERS = re.compile(r"(?:docker|podman|nerdctl|kubectl|oc)\Z")


PATH_MAX = 4096  # bytes of a path to a program
_LONGEST_BUNDLE = 9  # of short options written as one


class Rule(NamedTuple):
    """The options of some programs that take a secret.

    Behind ``separator``, where there is one, for what is before it is a name. With ``needs``
    only in commands with that word.
    """

    options: tuple[str, ...]
    separator: str = ""
    needs: str = ""


# Program names, and what they take; all that match count.
_PROGRAMS: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(rf"(?:{names})\Z"), rule)
    for names, rule in (
        ("sshpass", Rule(("-p",))),
        (r"(?:mysql|mariadb)\w{0,8}(?:-\w{1,8})?", Rule(("-p",))),
        (r"redis-cli|valkey-cli", Rule(("-a", "--pass"))),
        (r"mongo\w{0,8}|cqlsh|twine|influx", Rule(("-p",))),
        (
            r"docker|podman|nerdctl|buildah|skopeo|helm|crane|oras|az|oc|argocd",
            Rule(("-p",), needs="login"),
        ),
        (r"curl", Rule(("-u", "-U", "--user", "--proxy-user", "-E", "--cert"), ":")),
        (r"curl", Rule(("-b",), "=")),
        (r"https?|xh", Rule(("-a", "--auth"), ":")),
        (r"https?|xh", Rule(("-a", "--auth"), needs="bearer")),
        (r"lftp|ncftp\w{0,3}", Rule(("-u",), ",")),
        (r"ncftp\w{0,3}|7z\w{0,2}|unrar|rar|wput", Rule(("-p",))),
        (r"zip|unzip|funzip|sqlcmd|bcp|osql|ipmitool|mosquitto_\w{3}", Rule(("-P",))),
        (r"ldap\w{3,9}", Rule(("-w", "-s", "-a"), needs="-D")),
        (r"smbclient|rpcclient|net|winexe|smbget|wmic|smbcacls", Rule(("-U", "--user"), "%")),
        (r"snmp\w{2,10}", Rule(("-A", "-X", "-c"))),
        (r"openssl", Rule(("-k", "-K", "-passin", "-passout", "-pass"))),
        (r"ssh-keygen", Rule(("-N", "-P"))),
        (r"useradd|usermod|chage", Rule(("-p", "--password"))),
        (r"etcdctl|nats|rclone", Rule(("--user",), ":")),
        (r"rdesktop|kinit|expect-ssh|plink|pscp|putty", Rule(("-p", "-pw"))),
        (r"x?freerdp3?", Rule(("/p", "/pass"))),
        (r"ngrok", Rule(("--authtoken", "add-authtoken"))),
        # words that a secret follows
        (r"nmcli", Rule(("password", "wifi-sec.psk", "802-11-wireless-security.psk"))),
        (r"vault", Rule(("login",))),
        (r"kubectl|oc", Rule(("--from-literal",), "=")),
    )
)
# Programs whose last words are a secret: (program, what must be in the command, how many).
_LAST: tuple[tuple[re.Pattern[str], re.Pattern[str], int], ...] = tuple(
    (re.compile(rf"(?:{program})\Z"), re.compile(rf"(?:{needs})\Z"), count)
    for program, needs, count in (
        ("htpasswd", r"-\w*b\w*", 1),
        ("rabbitmqctl", r"add_user|change_password|authenticate_user", 1),
        ("wpa_passphrase", r"[^-].*", 1),
    )
)
_SQLPLUS = re.compile(r"(?:sqlplus\w?|sqlldr|expdp|impdp|exp|imp|rman)\Z")
_SQLPLUS_USER = re.compile(r"[\w$#]{1,128}/[^\s@/][^\s@]*(?=@|\Z)")

# What a script must hold to be taken apart into words: a program, and how its option begins.
_P, _U, _BIG_P = "-p", "-u", "-P"
_HINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(
        (name, (_P,))
        for name in ("sshpass", "mysql", "mariadb", "mongo", "cqlsh", "twine", "influx", "login")
    ),
    *(
        (name, (_P,))
        for name in (
            "ncftp",
            "7z",
            "rar",
            "wput",
            "rdesktop",
            "plink",
            "pscp",
            "useradd",
            "usermod",
        )
    ),
    *((name, (_BIG_P,)) for name in ("zip ", "sqlcmd", "bcp", "osql", "ipmitool", "mosquitto")),
    ("curl", (_U, "-U", "user", "cert", " -b", " -E", "u ")),
    ("http ", (" -a", "--auth")),
    ("https ", (" -a", "--auth")),
    ("xh ", (" -a", "--auth")),
    ("lftp", (_U,)),
    ("ldap", (" -w", " -s", " -a")),
    *((name, ("-U", "-u")) for name in ("smb", "rpcclient", "winexe", "wmic", "net ")),
    ("snmp", (" -A", " -X", " -c")),
    ("openssl", ("-k", "-K", "-pass")),
    ("ssh-keygen", ("-N", "-P")),
    *((name, ("--user",)) for name in ("etcdctl", "nats", "rclone")),
    *(
        (name, ("",))
        for name in ("redis-cli", "valkey-cli", "freerdp", "authtoken", "nmcli", "vault")
    ),
    *((name, ("",)) for name in ("--from-literal", "htpasswd", "rabbitmqctl", "wpa_passphrase")),
    *((name, ("/",)) for name in ("sqlplus", "sqlldr", "expdp", "impdp", "rman")),
)
ALARMS = tuple(alarm for alarm, _ in _HINTS)
_ANY = re.compile(
    "|".join(
        f"(?:{names.pattern})"
        for names in (_SQLPLUS, *(each[0] for each in _PROGRAMS), *(each[0] for each in _LAST))
    )
)
_LONGEST_NAME = 24  # of a program in the table


def find_in_words(words: Sequence[str]) -> Iterator[tuple[int, Span]]:
    """Yield the index of each word of one command that holds a secret, and where in it."""
    # Docker's own options and names of images come before what runs in a container.
    is_outside = bool(words) and _CONTAINERS.match(_base(words[0])) is not None
    rules: dict[str, set[str]] = {}  # option: separators
    known: set[str] = set()
    for at, word in enumerate(words):
        for option, separators in _options(word, rules) if rules else ():
            for separator in separators:
                yield from _taken(words, at, option, separator)
        if is_outside and at:
            is_outside = word != "exec"
            continue
        base = _base(word) if len(word) <= PATH_MAX else ""
        is_name = 1 < len(base) <= _LONGEST_NAME and base not in known
        if is_name and _ANY.match(base):
            known.add(base)
            _add_rules(base, words, rules)
            yield from _last(base, words, at)
            yield from _sqlplus(base, words, at)


def _add_rules(base: str, words: Sequence[str], rules: dict[str, set[str]]) -> None:
    for names, rule in _PROGRAMS:
        if names.match(base) and (not rule.needs or rule.needs in words):
            for option in rule.options:
                rules.setdefault(option, set()).add(rule.separator)


def find_commands(text: str, folded: str) -> Iterator[Span]:
    """Yield where secrets stand in commands that a text holds, as a script does."""
    if not any(alarm in folded and any(hint in text for hint in hints) for alarm, hints in _HINTS):
        return
    command: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        if word.lastgroup == "end":
            yield from _spans(command)
            command = []
        else:
            command.append(word)
    yield from _spans(command)


def _options(word: str, rules: Mapping[str, set[str]]) -> Iterator[tuple[str, set[str]]]:
    """Yield the options that a word is, begins with, or ends with, and their separators."""
    if word in rules:
        yield word, rules[word]
        return
    if word[:1] not in ("-", "/"):
        return
    for sign in "=:":
        name = word.partition(sign)[0]
        if name in rules and name != word:
            yield name, rules[name]
            return
    if word[:2] in rules and word[:2] != "--":
        yield word[:2], rules[word[:2]]
    elif len(word) <= _LONGEST_BUNDLE and word[1:].isalpha() and f"-{word[-1]}" in rules:
        # -sSu: several short options, the last of which takes a name and a password
        yield f"-{word[-1]}", rules[f"-{word[-1]}"] - {""}


def _spans(command: list[re.Match[str]]) -> Iterator[Span]:
    if len(command) > 1:
        for at, (begin, end) in find_in_words([word[0] for word in command]):
            start = command[at].start()
            yield start + begin, start + end


def _base(word: str) -> str:
    return word.rpartition("/")[2].strip("\"'")


def _taken(
    words: Sequence[str], at: int, option: str, separator: str
) -> Iterator[tuple[int, Span]]:
    word = words[at]
    if word == option or (not word.startswith(option)):
        if at + 1 < len(words) and not _OPTION.match(words[at + 1]):
            yield from _value(words[at + 1], at + 1, 0, separator)
    else:
        skip = len(option) + (word[len(option)] in "=:")
        yield from _value(word, at, skip, separator)


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
    if value.startswith(("pass:", "file:", "env:", "fd:", "//")) or value == "stdin":
        return  # of openssl; a password there has a name
    if separator == ":" and value.isdigit() and word[:begin].strip("\"':").isdigit():
        return
    yield at, (begin, end)


def _last(base: str, words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    for program, needs, count in _LAST:
        if program.match(base) and any(needs.match(each) for each in words[at + 1 :]):
            for index in range(max(at + 2, len(words) - count), len(words)):
                yield from _value(words[index], index, 0, "")


def _sqlplus(base: str, words: Sequence[str], at: int) -> Iterator[tuple[int, Span]]:
    if not _SQLPLUS.match(base):
        return
    for index in range(at + 1, len(words)):
        match = _SQLPLUS_USER.match(words[index])
        if match is not None:
            yield index, (words[index].index("/") + 1, match.end())
