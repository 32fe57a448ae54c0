"""Masks secrets in text, before anything cuts, keeps or shows it.

It finds them by the name before them, their first characters, their shape, and the options of
programs. It undoes escapes and base64 to look beneath them. If the end of a secret is not
certain, it masks more rather than less. Shell references (``$TOKEN``, ``$(...)``) are no secrets
and stay. Every function is total, takes time linear in its input, and changes nothing when it is
applied again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from analyzer.masking import by_shape, commands, secret_names
from analyzer.masking.alarms import any_of
from analyzer.masking.mask import MASK, Span, cover, merged
from analyzer.masking.named import find_named
from analyzer.masking.outline import outline
from analyzer.masking.programs import BESIDE_USER
from analyzer.masking.random_values import Context, Look, find_random, has_candidates
from analyzer.masking.strong import SUSPECT, find_strong
from analyzer.masking.views import joined, unescaped

__all__ = ["MASK", "Look", "mask_args", "mask_text", "outline"]

# Nearly every text has none of these.
_ALARMS = any_of(
    (*secret_names.ALARMS, *secret_names.FOREIGN_ALARMS, *by_shape.ALARMS, *commands.ALARMS)
)
# What has something escaped, or quotes within words.
_SUSPECT = re.compile(
    rf"%[0-7][0-9A-Fa-f]|\\[xu01]|&#|[\w+/-][\"']{{1,2}}[\w+/-]|{BESIDE_USER}|{SUSPECT}"
)
# How often a text is masked until nothing changes. More was never seen; then all of it goes.
_PASSES = 5
# Plain texts and vectors that are remembered, and the longest of them: at most 1 MiB in all.
PLAIN_MAX = 1024
PLAIN_LENGTH_MAX = 512
# A secret in base64 in base64.
_DEEPEST = 2

# Signs of Unicode that are typed in place of others, each as long as that: a dash of a text
# that was copied from a page, the wide letters of Asian keyboards.
_ALIKE = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), ord("-")),
}
_OPTION = re.compile(r"-[A-Za-z](?:\Z|=)|--?[A-Za-z][a-z0-9]*(?:[-_.][a-z0-9]+)*(?:\Z|=)|-\Z|--\Z")
_URL = re.compile(r"[a-z][a-z0-9]{0,5}://", re.IGNORECASE)
_NAMED_SECRET = re.compile(r"(?:id|type)=")  # `docker build --secret id=...` names a file
_ENVIRONMENT_OPTIONS = ("-e", "--env", "-E", "--preserve-env")
_ONLY_SEPARATORS = " \t:="
# Git's, those of containers and of checksums: their arguments are full of digests.
_DIGESTS = re.compile(
    r"(?:git(?:-[\w-]+)?|hg|docker\w*|docker-\w+|podman|nerdctl|crictl|ctr|runc|crun|youki|conmon|buildah|skopeo"
    r"|containerd[\w-]*|kubelet|kata[\w-]*|lxc[\w-]*|tini|cosign|oras|crane"
    # and what makes checksums or takes fingerprints
    r"|\w{1,8}sum|gpgv?2?|apt-key|dirmngr|gpg-agent)\Z"
)
# A whole word NAME=SECRET, and the programs whose words have that form.
_VALUE = re.compile(r"(?:--?|/)?[\w.-]{1,64}=(?=\S*\s)")
_SETTERS = re.compile(r"(?:env|helm|kubectl|terraform|tofu|ansible[\w-]*)\Z")
_SIGNS = ("=", ":", ":=", "=>")
_KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")
_KEY = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])")
_BEGINS_KEY = re.compile(r"PRIVATE KEY(?: BLOCK)?-----|\AKEY(?:-----|\Z)")


class _Plain:
    """Remembers texts that hold no secret: those of a busy host repeat."""

    def __init__(self) -> None:
        self._known: set[object] = set()

    def __contains__(self, text: object) -> bool:
        """Tell whether a text was added."""
        return text in self._known

    def add(self, text: object, length: int) -> None:
        """Remember a text that is not long; forget all when there are too many."""
        if length <= PLAIN_LENGTH_MAX:
            if len(self._known) >= PLAIN_MAX:
                self._known.clear()
            self._known.add(text)


_plain_texts, _plain_vectors = _Plain(), _Plain()


def mask_text(text: str, *, is_cut: bool = False, look: Look = Look.TEXT) -> str:
    """Return the text with ``[redacted]`` in place of every secret found in it.

    ``is_cut`` says that its end is missing: what may be the beginning of a secret goes, too.
    """
    key = (text, is_cut, look)
    if key in _plain_texts:
        return text
    if not _is_plain(text, is_close=is_cut or look is Look.STRICT):
        context = Context(look=look, is_cut=is_cut)
        for _ in range(_PASSES):
            masked = cover(text, _find(text, context)[0])
            if masked == text:
                break
            text = masked
        else:
            return MASK
    if text == key[0]:
        _plain_texts.add(key, len(text))
    return text


def _is_plain(text: str, *, is_close: bool = False) -> bool:
    """Tell whether a text can hold no secret, at a glance."""
    folded = text.lower() if text.isascii() else text.translate(_ALIKE).lower()
    if is_close or _ALARMS.search(folded) is not None:
        return False
    return _SUSPECT.search(text) is None and not has_candidates(text)


def mask_args(args: Sequence[str], *, is_cut: bool = False) -> tuple[str, ...]:
    """Return an argument vector with ``[redacted]`` in place of every secret.

    A secret may stand in the argument that names it or in those that follow. ``is_cut`` says
    that the end of the last one is missing, and others may be.
    """
    given = present = tuple(args)
    key = (given, is_cut)
    if key in _plain_vectors:
        return given
    joined_args = " ".join(present)
    if not _is_plain(joined_args, is_close=is_cut):
        for _ in range(_PASSES):
            masked = _Vector(present, is_cut=is_cut).masked()
            if masked == present:
                break
            present = masked
        else:
            return tuple(MASK for _ in present)
    if present == given:
        _plain_vectors.add(key, len(joined_args))
    return present


class _Vector:
    """One argument vector, gone through once from its first argument to its last."""

    def __init__(self, args: tuple[str, ...], *, is_cut: bool) -> None:
        self._args = args
        self._is_cut = is_cut
        self._announced: Optional[str] = None
        self._before = ""  # the argument before
        self._continues = False  # whether a secret ended with it
        self._in_key = False
        base = args[0].rpartition("/")[2] if args else ""
        self._look = Look.DIGESTS if _DIGESTS.match(base) else Look.TEXT
        self._takes_variables = _SETTERS.match(base) is not None or self._look is Look.DIGESTS
        self._spans: list[list[Span]] = [[] for _ in args]
        self._has_key_id = any(map(_KEY_ID.search, args))

    def masked(self) -> tuple[str, ...]:
        """Return the vector with its secrets masked."""
        for at, span in commands.find_in_words(self._args):
            self._spans[at].append(span)
        return tuple(self._argument(at, arg) for at, arg in enumerate(self._args))

    def _argument(self, at: int, arg: str) -> str:
        if self._announced is not None and self._is_announced(arg):
            self._before, self._continues = arg, False
            return arg if not arg.strip(_ONLY_SEPARATORS) else MASK
        if self._is_in_key(arg):
            return MASK
        is_last = at == len(self._args) - 1
        before = f"{self._before} " if self._before.startswith("-") else ""
        is_cut = self._is_cut and is_last
        spans: list[Span] = []
        self._announced = None
        if not _is_plain(arg, is_close=is_cut or self._continues):
            context = Context(self._look, before, is_cut, self._continues)
            spans, self._announced = _find(arg, context)
        if (
            self._announced in ("key", "file")
            and self._before in _ENVIRONMENT_OPTIONS
            and arg.isupper()
        ):
            self._announced = None  # `docker run -e NAME image` hands the variable on
        if self._announced is None and self._announces(arg):
            self._announced = "sign"
        if self._has_key_id:
            spans += [match.span() for match in _KEY.finditer(arg)]
        spans += self._spans[at]
        spans += self._whole_value(arg, spans)
        self._continues = any(end == len(arg) for _, end in spans)
        self._before = arg
        return cover(arg, spans)

    def _whole_value(self, arg: str, spans: Sequence[Span]) -> list[Span]:
        """Return the rest of an option's value, spaces and all, where it begins with a secret."""
        value = _VALUE.match(arg)
        if value is None or (arg[0] != "-" and not self._takes_variables):
            return []
        begins = (value.end(), value.end() + 1)
        return [(value.end(), len(arg))] if any(span[0] in begins for span in spans) else []

    def _announces(self, arg: str) -> bool:
        """Tell whether a word and the one before announce the next: ``password =``, ``Bearer``."""
        if arg in _SIGNS:
            return bool(find_named(f"{self._before}=x", f"{self._before}=x".lower())[0])
        return arg.lower() == "bearer" and self._before[:1] != "-"

    def _is_announced(self, arg: str) -> bool:
        """Tell whether this argument is what the one before announced, or goes on with that."""
        announced = self._announced
        if not arg.strip(_ONLY_SEPARATORS):
            self._announced = "credential" if announced == "authorization" and arg else announced
            return True
        is_value = announced != "authorization" or arg[:1] in (":", "=")
        is_value = is_value and not (announced == "sign" and arg.startswith(("$", "`")))
        is_file = self._before == "--secret" and _NAMED_SECRET.match(arg) is not None
        is_file = is_file or (announced == "file" and arg.startswith(("/", "./", "../", "~", "@")))
        if is_value and not is_file and not _OPTION.match(arg) and not _URL.match(arg):
            # A scheme comes before the credential, and some credentials have spaces.
            is_credential = announced in ("credential", "authorization")
            self._announced = "credential" if is_credential else None
            return True
        if not is_value or is_file:
            self._announced = None
        return False

    def _is_in_key(self, arg: str) -> bool:
        """Tell whether an argument is a piece of a private key that was taken apart."""
        was = self._in_key
        if _BEGINS_KEY.search(arg):
            self._in_key = "-----END" not in arg and self._before != "PRIVATE-END"
        elif was and arg.startswith("-----END"):
            self._in_key = False
        return was and self._in_key and not _BEGINS_KEY.search(arg)


def _find(text: str, context: Context, depth: int = _DEEPEST) -> tuple[list[Span], Optional[str]]:
    """Return where secrets stand in a text, and what its end announces."""
    if not text.isascii():
        text = text.translate(_ALIKE)
    spans, announced = _find_plain(text, context, depth)
    for view in unescaped(text):
        found, _ = _find_plain(view.text, context, depth)
        spans += (piece for span in merged(found) for piece in view.spans(*span))
    for view in joined(text):
        found = _shapes(view.text, view.text.lower(), context, depth)
        spans += (piece for span in merged(found) for piece in view.spans(*span))
    return spans, announced


def _find_plain(text: str, context: Context, depth: int) -> tuple[list[Span], Optional[str]]:
    folded = _fold(text)
    spans, announced = find_named(text, folded)
    spans += commands.find_commands(text, folded)
    spans += _shapes(text, folded, context, depth)
    return spans, announced


def _shapes(text: str, folded: str, context: Context, depth: int) -> list[Span]:
    known: list[Span] = by_shape.find_by_shape(text, folded, is_cut=context.is_cut)
    known += find_strong(text)

    def is_secret(decoded: str) -> bool:
        return depth > 0 and bool(merged(_find(decoded, Context(Look.TEXT), depth - 1)[0]))

    return known + list(find_random(text, known, context, is_secret))


def _fold(text: str) -> str:
    """Return the text in lower case, each character in its place."""
    folded = text.lower()
    if len(folded) != len(text):
        folded = "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    return folded
