"""Reads one capture file as far as it goes: unpacks it, counts its packets, notes its damage."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from analyzer.errors import CaptureError
from analyzer.recorder.sources.captures.capture_file import CaptureParser, DamagedError

STANDARD_INPUT = "-"
END = b""  # what is read at the end of a file
# Unpacked in one go: a compressed file may hold a thousand times its size.
UNPACKED_BYTES = 1 << 20

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for "with gzip's header"
_OTHERS = ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ", "xz"), (b"BZh", "bzip2"))
_MAGICS = (_GZIP, *(magic for magic, _ in _OTHERS))


class CaptureFile:
    """One file: what it is made of, and how far it could be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.packets = 0
        self._first_ns: Optional[int] = None
        self._last_ns = 0
        self.error: Optional[CaptureError] = None
        self.is_stopping = False  # whether a signal had come when its end was read
        self.is_stopped = False  # whether there is more of it, or would be, but for the signal
        self.recording = CaptureParser()
        self._unpacker: Any = None
        self._is_begun = False
        self._beginning = b""  # read, and too short to tell what it is
        self._is_cut = False  # whether more must come, by gzip's own account

    def unpack(self, raw: bytes) -> Iterator[bytes]:
        """Yield what the file's next bytes hold. Raises DamagedError."""
        if not self._is_begun:
            beginning = self._beginning + raw
            if raw != END and any(_is_begun(magic, beginning) for magic in _MAGICS):
                self._beginning = beginning
                return
            self._is_begun = True
            self._beginning, raw = b"", beginning
            for magic, program in _OTHERS:
                if raw.startswith(magic):
                    raise DamagedError(
                        0, f"it is compressed: {program} -dc FILE | imds-analyzer replay -"
                    )
            if raw.startswith(_GZIP):
                self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
        if self._unpacker is None:
            yield raw
            return
        while raw:
            try:
                unpacked = self._unpacker.decompress(raw, UNPACKED_BYTES)
            except zlib.error:
                raise DamagedError(
                    self.recording.offset, "the compressed file is damaged"
                ) from None
            raw = self._unpacker.unconsumed_tail
            if self._unpacker.eof:  # another one may be appended
                raw = self._unpacker.unused_data
                self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
                self._is_cut = False
            else:
                self._is_cut = True
            yield unpacked

    @property
    def length_s(self) -> float:
        """The time from its first packet to its last; packets may be a little out of order."""
        return 0.0 if self._first_ns is None else (self._last_ns - self._first_ns) / 1e9

    def count(self, times_ns: Iterable[int]) -> None:
        """Take the times of packets; 0 is none."""
        for at_ns in times_ns:
            self.packets += 1
            if at_ns:
                self._first_ns = at_ns if self._first_ns is None else min(self._first_ns, at_ns)
                self._last_ns = max(self._last_ns, at_ns)

    def finish(self) -> None:
        """Take the file's end."""
        if self.error is not None:
            return
        self.recording.finish()
        damage = self.recording.damage
        if self._is_cut:
            damage = DamagedError(self.recording.offset, "the compressed file is cut off")
        if damage is None:
            return
        if self.is_stopping:
            self.is_stopped = True  # nothing ails it
        else:
            self.fail(damage)

    def fail(self, damaged: DamagedError) -> None:
        """Take note of where and why it cannot be read any further."""
        where = "standard input" if self.name == STANDARD_INPUT else self.name
        unpacked = " of the unpacked capture" if self._unpacker is not None else ""
        self.error = CaptureError(
            f"{where}: {damaged.what}, at byte {damaged.offset}{unpacked}."
            f" {self.packets} packets before it were read"
        )


def _is_begun(magic: bytes, data: bytes) -> bool:
    """Tell whether the data is the beginning of a magic number."""
    return len(data) < len(magic) and magic.startswith(data)
