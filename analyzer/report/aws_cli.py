"""Reads what all commands of the AWS CLI print alike: documents in JSON, and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

CLI_ERROR = re.compile(r"An error occurred \([\w.]{1,60}\)")


class NoDocumentError(ValueError):
    """The text has no whole JSON document that begins ``at`` this place."""

    def __init__(self, at: int) -> None:
        super().__init__(f"no JSON document at {at}")
        self.at = at


def documents(text: str) -> Iterator[tuple[object, int]]:
    """Yield the documents of a text, one behind the other, each with the place of its beginning.

    White space must not be at the beginning. Raises NoDocumentError.
    """
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        begin = at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise NoDocumentError(begin) from None
        yield value, begin
        while at < len(text) and text[at].isspace():
            at += 1
