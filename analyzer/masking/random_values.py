"""Finds secrets that show only by their shape: long, and without a pattern.

Three shapes are taken for a secret:

- letters of both cases and digits that change places often;
- a long run of hexadecimal digits;
- a word that is one of these once base64 or hexadecimal digits are decoded.

The names of files, digests, commits and containers have such shapes, too. So the parts of a path
stay, and so does a word that the name before it calls an id.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple, Optional

from analyzer.masking.mask import Span

# The shortest word that is judged, and the shortest without a name or a cut that says more.
# What CloudFormation puts behind names has 12 and 13 characters.
SHORTEST = 8
LONG = 18
# Digests have 32, 40 and 64 hexadecimal digits; up to 17 has an id of AWS.
HEX_LONG = 32
HEX_NAMED = 16
DIGEST_MAX = 64
# Words of small letters and digits, of capital letters and digits.
ONE_CASE_LONG = 24
# Base64 of a name and a password has more.
ENCODED = 12
# Of a random word, 62 of 100 neighbours are of two kinds; of a name in camel case some 20.
CHANGES = 0.3
# Of a cut word, what is looked at, and what tells nothing.
TAIL_MAX = 256
TAIL_MIN = 6
# How much text before a word is looked at.
NAME_MAX = 48

# What stands for each character: small and capital letters, digits, signs within words.
_KINDS = "".join(
    "a" if each.islower() else "A" if each.isupper() else "0" if each.isdigit() else each
    for each in map(chr, range(128))
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_WORD_OF_KINDS = re.compile(r"[aA0_+/.~-]{8,}={0,2}")
_ONE_KIND = re.compile(r"[a0]{16}|[A0]{16}")
# Of a random word, a third looks like this; of a name in camel case, most.
_CAMEL = re.compile(r"[A-Z][a-z]{2,}|\A[a-z]{3,}")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_HEX = re.compile(r"(?:[0-9a-f]{16,}|[0-9A-F]{16,})\Z")
_PART = re.compile(r"[\w+-]{16,}={0,2}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Ids of AWS's access keys, roles and users.
_AWS_ID = re.compile(r"A(?:KIA|SIA|IDA|ROA|GPA|NPA|NVA|PKA|BIA|CCA|IPA|SCA)[A-Z0-9]{16,17}\Z")
_PATH = re.compile(r"(?:\.{0,2}|~\w{0,32})/|-[A-Za-z]{1,2}/")
_WORD_IN_PATH = re.compile(
    r"(?:\A|/)(?:[a-z][a-z_-]{2,}(?=/|\Z)|[^/]*\.[A-Za-z][A-Za-z0-9]{0,4}\Z)"
)
_FILE = re.compile(r"[\w+~-]{1,255}(?:\.[\w+~-]{1,64}){0,8}\.[a-z][a-z0-9]{0,4}\Z")
# Public by their nature: keys of ssh, digests as packages of npm and web pages have them, the names
# that systemd-run gives to units.
_PUBLIC = re.compile(
    r"AAAA[BCE]3NzaC|AAAAE2VjZHNh|AAAAG(?:nNr|mVj)|sha(?:256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}\Z"
    r"|run-r[0-9a-f]{32}(?:\.|\Z)"
)
_HEX_SIGN = re.compile(r"(?<![A-Za-z0-9])0x(?=[0-9A-Fa-f]{16})")
_FINGERPRINT = re.compile(r"[A-Za-z0-9+/]{43}=?\Z")
# AWS's secret keys have this length.
_SECRET_KEY = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])")
_USER_PASSWORD = re.compile(r"[\w.@+-]{1,64}:[!-~]{3,}")
_TAIL = re.compile(r"[^\s\"'=&?;,|<>(){}]+\Z")
_PLAIN_TAIL = re.compile(r"(?:[A-Z]?[a-z]*|\d{1,5})(?:[-_.:@/+~]+(?:[A-Z]?[a-z]*|\d{1,5}))*\Z")
_BEGINNING = re.compile(
    r"gh[a-z]_|github_|gl[a-z]{2,5}-|xox|xapp-|[sr]k[-_]|npm_|hv[sbr]\.|SG\.|eyJ|AQAE"
)
# The name before a word, and what it says of it.
_NAME = re.compile(r"([A-Za-z][\w.-]{0,32})[\"']?(?:\s{1,2}|\s?[:=@]\s?)[\"']?\Z")
_SECRET_NAMES = re.compile(
    r"key|auth|sig(?:n|\Z)|sid\Z|sess|cred|licen[cs]e|nonce|code\Z|otp|webhook|login|api|token|secret|pass"
    r"|private|hash\Z|hmac",
    re.IGNORECASE,
)
_ID_NAMES = re.compile(
    r"(?:id|ids|uuid|digest|checksum|etag|commit|revision|version|release|image|bundle|build"
    r"|container|trace|span|namespace|tag|name|file|path|dir|task|pod|node|rev|sha\d*|md5\w*|arn|fingerprint"
    r"|traceparent|if-(?:none-)?match|integrity)\Z",
    re.IGNORECASE,
)


class Look(Enum):
    """The strictness of the search for random words."""

    TEXT = "text"
    # The arguments of a program that deals with digests: git's and those of containers.
    DIGESTS = "digests"
    # Nothing is lost where too much is covered.
    STRICT = "strict"


class Context(NamedTuple):
    """The surroundings of a text."""

    look: Look = Look.TEXT
    before: str = ""  # what stands before the text
    is_cut: bool = False  # whether the text's end is missing
    continues: bool = False  # whether the text may go on with a secret


def find_random(
    text: str, known: list[Span], context: Context, is_secret: Callable[[str], bool]
) -> Iterator[Span]:
    """Yield where words stand that look like secrets.

    ``known`` are the spans found before; ``is_secret`` judges what a word encodes.
    """
    if context.is_cut:
        yield from _cut_word(text)
    ends = {end for _, end in known}
    may_be_short = bool(ends) or context.is_cut or context.continues
    for begin, end in _candidates(text, is_strict=may_be_short or context.look is Look.STRICT):
        before = (context.before + text[max(0, begin - NAME_MAX) : begin])[-NAME_MAX:]
        is_short = may_be_short and _is_short(begin, end == len(text), before, ends, context)
        word = text[begin:end]
        if _is_public(word, before):
            continue
        skip = 2 if _is_glued(word) else 0
        if _is_random(word[skip:], before, context.look, is_short=is_short) or (
            _encodes(word[skip:], before, is_secret)
        ):
            yield begin + skip, end
        elif "/" in word:
            yield from _encoded_parts(text, begin, end, is_secret)


def _encoded_parts(
    text: str, begin: int, end: int, is_secret: Callable[[str], bool]
) -> Iterator[Span]:
    """Yield the parts of a path that encode what has a secret's name in it."""
    for part in _PART.finditer(text, begin, end):
        if any(map(is_secret, _decoded(part[0]))):
            yield part.span()


def _cut_word(text: str) -> Iterator[Span]:
    """Yield the last word of a text that is cut, unless it is made of plain words and numbers.

    Of a secret's beginning nothing more can be told.
    """
    tail = _TAIL.search(text, max(0, len(text) - TAIL_MAX))
    if tail is not None:
        begin = tail.start()
        word = tail[0]
        if _is_path(word) or "://" in word:
            begin += word.rfind("/") + 1
        if len(text) - begin >= TAIL_MIN and (
            not _PLAIN_TAIL.match(text, begin) or _BEGINNING.match(text, begin)
        ):
            yield begin, len(text)


def has_candidates(text: str) -> bool:
    """Tell whether a text holds a word that is to be judged by its shape."""
    return next(_candidates(text, is_strict=False), None) is not None


def _candidates(text: str, *, is_strict: bool) -> Iterator[Span]:
    """Yield where words stand that are long enough and not of one kind of letters alone."""
    kinds = (
        text.translate(_KINDS) if text.isascii() else _NOT_ASCII.sub(" ", text).translate(_KINDS)
    )
    least = SHORTEST if is_strict else ENCODED
    changes = 1 if is_strict else 3
    # No word changes more often than the whole text, and most texts change less often than that.
    if _changes(kinds) < changes and _ONE_KIND.search(kinds) is None:
        return
    for match in _WORD_OF_KINDS.finditer(kinds):
        begin, end = match.span()
        if end - begin < least:
            continue
        if _ONE_KIND.search(kinds, begin, end) or _changes(kinds, begin, end) >= changes:
            yield begin, end


def changes(word: str) -> int:
    """Return how often neighbours of a word are of two kinds: letters of a case, digits."""
    return _changes(word.translate(_KINDS))


def _changes(kinds: str, begin: int = 0, end: Optional[int] = None) -> int:
    """Return how often neighbours are of two kinds."""
    count = kinds.count  # six calls: a loop over six pairs takes three times as long
    return (
        count("aA", begin, end)
        + count("Aa", begin, end)
        + count("a0", begin, end)
        + count("0a", begin, end)
        + count("A0", begin, end)
        + count("0A", begin, end)
    )


def _is_short(begin: int, is_last: bool, before: str, ends: set[int], context: Context) -> bool:
    """Tell whether even a short word is suspect: it is cut, or goes on with a secret."""
    if context.is_cut and is_last:
        return True
    stripped = before.rstrip(" \t\r\n\"'+\\,.;")
    return begin - (len(before) - len(stripped)) in ends or (context.continues and not stripped)


def _is_glued(word: str) -> bool:
    """Tell whether a value follows its option without a space: -sKEY."""
    return word[0] == "-" and word[1:2].isalpha() and word[2:3] != "-"


def _is_public(word: str, before: str) -> bool:
    return _PUBLIC.match(word) is not None or (
        before.endswith("SHA256:") and _FINGERPRINT.match(word) is not None
    )


def _is_random(word: str, before: str, look: Look, *, is_short: bool) -> bool:
    is_url = before.endswith(":") and word.startswith("//")
    if _UUID.search(word):
        word = _UUID.sub("-", word)
    if not is_url and look is not Look.STRICT and _is_path(word):
        return _SECRET_KEY.fullmatch(word) is not None and _is_mixed(word)
    if _SECRET_KEY.search(word) and _is_like_a_key(word):
        return True
    name = _NAME.search(before)
    is_secret = name is not None and _SECRET_NAMES.search(name[1]) is not None
    is_id = name is not None and not is_secret and _ID_NAMES.search(name[1]) is not None
    least = SHORTEST if is_short else ENCODED if is_secret or look is Look.STRICT else LONG
    mixed: list[str] = []
    for piece in _PIECE.findall(_HEX_SIGN.sub("", word)):
        if _HEX.match(piece):
            is_kept = is_url or ((is_id or look is Look.DIGESTS) and len(piece) <= DIGEST_MAX)
            if not is_kept and _is_long_hex(piece, is_named=is_secret or is_short):
                return True
        elif not is_url and not is_id and _is_long_of_one_case(piece):
            return True
        elif not (piece.islower() or piece.isdigit() or _is_camel(piece)):
            mixed.append(piece)
    both = "".join(mixed)
    return len(both) >= least and _is_mixed(both) and not _AWS_ID.match(word)


def _is_path(word: str) -> bool:
    """Tell whether a word is the path or the name of a file."""
    if "/" not in word:
        return _FILE.match(word) is not None
    return _PATH.match(word) is not None or _WORD_IN_PATH.search(word) is not None


def _is_camel(piece: str) -> bool:
    """Tell whether most of a word is made of words in camel case."""
    return 3 * sum(map(len, _CAMEL.findall(piece))) > 2 * len(piece)


def _is_mixed(piece: str) -> bool:
    """Tell whether letters of both kinds and digits change places as often as by chance."""
    if len(piece) < 4 or piece.islower() or piece.isupper() or piece.isdigit():  # noqa: PLR2004
        return False
    if _is_camel(piece):
        return False
    kinds = piece.translate(_KINDS)
    return _changes(kinds) >= (CHANGES if "0" in kinds else CHANGES + 0.1) * len(piece)


def _is_like_a_key(word: str) -> bool:
    """Tell whether a word of that length may be one of AWS's secret keys.

    Seven of ten hold a sign that names do not.
    """
    if not any(map(str.isdigit, word)) or word.islower() or word.isupper():
        return False
    return ("/" in word or "+" in word) and _changes(word.translate(_KINDS)) * 5 >= len(word)


def _is_long_hex(piece: str, *, is_named: bool) -> bool:
    if piece.isdigit() or piece.isalpha():
        return False
    return len(piece) >= (HEX_NAMED if is_named else HEX_LONG)


def _is_long_of_one_case(piece: str) -> bool:
    if len(piece) < ONE_CASE_LONG or not (piece.islower() or piece.isupper()):
        return False
    return _changes(piece.translate(_KINDS)) * 5 >= len(piece)


def _encodes(word: str, before: str, is_secret: Callable[[str], bool]) -> bool:
    """Tell whether a word is a secret in base64 or in hexadecimal digits."""
    if len(word) < ENCODED or (_is_path(word) and not before.endswith(":")):
        return False
    return any(
        _USER_PASSWORD.fullmatch(text) is not None or is_secret(text)
        for text in _decoded(word.rpartition("/")[2] if word.startswith("//") else word)
    )


def _decoded(word: str) -> Iterator[str]:
    if _HEX.match(word) and len(word) >= 2 * ENCODED:
        raw = bytes.fromhex(word[: len(word) & ~1])
        if _is_text(raw):
            yield raw.decode("ascii")
    elif not word.islower() and not word.isupper():
        plain = word.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            raw = base64.b64decode(plain[: len(plain) & ~3], validate=True)
            rest = plain[len(plain) & ~3 :]
            if len(rest) > 1:
                raw += base64.b64decode(rest + "=" * (4 - len(rest)))
        except binascii.Error:
            return
        if _is_text(raw):
            yield raw.decode("ascii")


def _is_text(raw: bytes) -> bool:
    text = raw.decode("latin-1").translate({9: 32, 10: 32, 13: 32})
    return len(text) >= SHORTEST and text.isascii() and text.isprintable()
