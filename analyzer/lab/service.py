"""Answers a request as the Instance Metadata Service does. Does no I/O; the clock is given."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import time
from http import HTTPStatus
from typing import Callable, NamedTuple, Optional
from urllib.parse import unquote, urlsplit

from analyzer.lab.metadata import Metadata
from analyzer.lab.wire import Ask

TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - the name of a header
TTL_HEADER = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
MAX_TTL_S = 21600

_TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
_DATED_TOKEN_PATH = re.compile(r"/(1\.0|[0-9]{4}-[0-9]{2}-[0-9]{2})/api/token")
_ERROR_PAGE = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body>{0}</body></html>\n"


class MetadataOptions(NamedTuple):
    """The instance's metadata options."""

    require_tokens: bool = False  # HttpTokens=required
    metadata_enabled: bool = True  # HttpEndpoint=enabled
    drop_tokens: bool = False  # a PUT gets no answer, as behind a hop limit that is too small


DEFAULTS = MetadataOptions()


class ServiceAnswer(NamedTuple):
    """One response, less the headers that every response has."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Tokens:
    """Issue session tokens and tell how long one is still good.

    A token carries its own expiry under a keyed hash, so none has to be remembered.
    """

    # The decoded token: 4 bytes that every token begins with, 8 of expiry, 8 random, 20 of hash.
    _PREFIX = b"\x01\x00\x04\x00"
    _SIGNED_BYTES = 20
    _HASH_BYTES = 20

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._clock = clock
        self._key = os.urandom(32)

    def issue(self, ttl_s: int) -> str:
        """Return a new token of 56 characters that is good for ``ttl_s`` seconds."""
        expiry_ms = int((self._clock() + ttl_s) * 1000)
        signed = self._PREFIX + expiry_ms.to_bytes(8, "big") + os.urandom(8)
        return base64.urlsafe_b64encode(signed + self._hash(signed)).decode("ascii")

    def maybe_remaining_s(self, token: str) -> Optional[int]:
        """Return the seconds a token is still good for, None for a bad or expired one."""
        try:
            raw = base64.b64decode(token.encode("latin-1"), altchars=b"-_", validate=True)
        except ValueError:
            return None
        signed, claimed = raw[: self._SIGNED_BYTES], raw[self._SIGNED_BYTES :]
        if not hmac.compare_digest(self._hash(signed), claimed):
            return None
        left_ms = int.from_bytes(signed[4:12], "big") - int(self._clock() * 1000)
        return (left_ms + 999) // 1000 if left_ms > 0 else None

    def _hash(self, signed: bytes) -> bytes:
        return hmac.new(self._key, signed, hashlib.sha256).digest()[: self._HASH_BYTES]


class EmulatedService:
    """The rules of the Instance Metadata Service, as the EC2 User Guide states them."""

    def __init__(
        self, options: MetadataOptions = DEFAULTS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the instance's options and a monotonic clock in seconds."""
        self._options = options
        self._tokens = Tokens(clock)
        self._metadata = Metadata()

    def maybe_answer(self, ask: Ask) -> Optional[ServiceAnswer]:
        """Return the answer to a request, None for one that is left without any."""
        path = path_of(ask.target)
        if not path.startswith("/"):
            return refusal(400)
        if not self._options.metadata_enabled:
            return refusal(403)
        if path == _TOKEN_PATH or _DATED_TOKEN_PATH.fullmatch(path):
            return self._answer_token_path(ask, path)
        if ask.method == "OPTIONS":
            return ServiceAnswer(200, "text/plain", b"", (("Allow", "OPTIONS, GET, HEAD"),))
        if ask.method not in ("GET", "HEAD"):
            return refusal(405, ("Allow", "OPTIONS, GET, HEAD"))
        return self._answer_read(ask, path)

    def _answer_token_path(self, ask: Ask, path: str) -> Optional[ServiceAnswer]:
        if ask.method == "OPTIONS":
            return ServiceAnswer(200, "text/plain", b"", (("Allow", "OPTIONS, PUT"),))
        if ask.method != "PUT":
            return refusal(405, ("Allow", "OPTIONS, PUT"))
        if self._options.drop_tokens:
            return None
        if path != _TOKEN_PATH or "x-forwarded-for" in ask.headers:
            return refusal(403)
        ttl = ask.headers.get(TTL_HEADER.lower(), "")
        if not re.fullmatch(r"[0-9]{1,5}", ttl) or not 1 <= int(ttl) <= MAX_TTL_S:
            return refusal(400)
        token = self._tokens.issue(int(ttl))
        return ServiceAnswer(
            200, "text/plain", token.encode("ascii"), ((TTL_HEADER, str(int(ttl))),)
        )

    def _answer_read(self, ask: Ask, path: str) -> ServiceAnswer:
        token = ask.headers.get(TOKEN_HEADER)
        headers: tuple[tuple[str, str], ...] = ()
        if token is not None:
            remaining_s = self._tokens.maybe_remaining_s(token)
            if remaining_s is None:
                return refusal(401)
            headers = ((TTL_HEADER, str(remaining_s)),)
        elif self._options.require_tokens:
            return refusal(401)
        page = self._metadata.maybe_page(path)
        if page is None:
            return refusal(404)
        return ServiceAnswer(200, page.media_type, page.body, headers)


def path_of(target: str) -> str:
    """Return the decoded path of a request target, in whichever form it came."""
    if not target.startswith("/"):  # absolute form, as proxies send it
        try:
            target = urlsplit(target).path or "/"
        except ValueError:
            return ""
    return unquote(target.partition("?")[0], errors="backslashreplace")


def refusal(status: int, *headers: tuple[str, str]) -> ServiceAnswer:
    """Return an answer that refuses, with the page a person sees."""
    page = _ERROR_PAGE.format(f"{status} - {HTTPStatus(status).phrase}")
    return ServiceAnswer(status, "text/html", page.encode("ascii"), headers)
