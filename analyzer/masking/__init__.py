"""Secrets are taken out of text here, before anything keeps or shows it.

What follows a name that announces a secret is replaced by ``[redacted]``, and so is what
looks like one by itself: session tokens of IMDS and STS, a secret key behind its key id,
passwords in URLs and in curl's ``-u``, signatures, bearer tokens. Where it is not sure how
far a secret reaches, more is masked rather than less. Shell references (``$TOKEN``,
``$(...)``) are no secrets and stay. Every function is total, takes time linear in its
input, and changes nothing when it is applied again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from analyzer.masking import bare, named
from analyzer.masking.mask import MASK

__all__ = ["MASK", "mask_args", "mask_text"]

_FLAGS = re.IGNORECASE | re.ASCII
# Nearly every text has none of these.
_ALARMS = tuple(dict.fromkeys((*named.ALARMS, *bare.ALARMS)))

_OPTION_OR_URL = re.compile(r"-|[a-z][a-z0-9]{0,5}://", _FLAGS)
_NAMED_SECRET = re.compile(r"(?:id|type)=")  # `docker build --secret id=...` names a file
_ENVIRONMENT_OPTIONS = ("-e", "--env", "-E", "--preserve-env")
_ONLY_SEPARATORS = " \t:="

_USER_OPTION = re.compile(r"-[a-z]{0,8}u|--(?:proxy-)?user", _FLAGS)
_USER_IN_OPTION = re.compile(r"(-u|--(?:proxy-)?user=)(?=[^:]*:)", _FLAGS)
# AWS's key ids and secret keys have one length each, which is what tells them from words. Behind
# a key id, whatever option stands between, what has a secret key's length is taken for one.
_KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")
_SECRET_KEY = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])")


def mask_text(text: str) -> str:
    """Return the text with ``[redacted]`` in place of every secret found in it."""
    folded = text.lower()
    for alarm in _ALARMS:
        if alarm in folded:
            return _mask(text, folded)[0]
    return text


def mask_args(args: Sequence[str]) -> tuple[str, ...]:
    """Return an argument vector with ``[redacted]`` in place of every secret.

    A secret may stand in the argument that names it or in those that follow.
    """
    masked: list[str] = []
    announced: Optional[str] = None
    before = ""
    is_curl = has_key_id = False
    for arg in args:
        if announced is not None:
            if not arg.strip(_ONLY_SEPARATORS):
                masked.append(arg)
                announced = "credential" if announced == "authorization" and arg else announced
                continue
            is_value = announced != "authorization" or arg[:1] in (":", "=")
            if not is_value or (before == "--secret" and _NAMED_SECRET.match(arg)):
                announced = None
            elif _OPTION_OR_URL.match(arg) is None:
                masked.append(MASK)
                # A scheme comes before the credential, and some credentials have spaces.
                announced = "credential" if announced in ("credential", "authorization") else None
                before = arg
                continue
        text, announced = _mask(arg, arg.lower())
        if announced == "key" and before in _ENVIRONMENT_OPTIONS and arg.isupper():
            announced = None  # `docker run -e NAME image` hands the variable on
        if has_key_id:
            text = _SECRET_KEY.sub(MASK, text)
        has_key_id = has_key_id or _KEY_ID.search(arg) is not None
        if is_curl:
            text = _mask_user(before, text)
        elif arg.endswith("curl"):
            is_curl = True
        masked.append(text)
        before = arg
    return tuple(masked)


def _mask_user(before: str, arg: str) -> str:
    """Mask the password in an argument of curl, where the one before or itself is ``-u``."""
    option = _USER_IN_OPTION.match(arg)
    if option is None and _USER_OPTION.fullmatch(before) is None:
        return arg
    name, colon, password = arg.partition(":")
    return f"{name}:{MASK}" if colon and password and not password.startswith("$") else arg


def _mask(text: str, folded: str) -> tuple[str, Optional[str]]:
    masked, announced = named.mask_named(text, folded)
    return bare.mask_bare(masked, folded if masked is text else masked.lower()), announced
