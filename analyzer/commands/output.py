"""Writes a command's output to standard output, or to a file that appears when it is whole."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Optional

import click

from analyzer.errors import AnalyzerError


@contextlib.contextmanager
def written(output: Optional[str], option: str = "--output") -> Iterator[Callable[[str], None]]:
    """Give what writes text to a file, or to standard output. ``option`` is what named the file.

    A file appears when all of it is there, with the mode that it had, or else a new one's.
    Raises AnalyzerError where it cannot be written, before anything is read.
    """
    if output is None:
        yield lambda text: click.echo(text, nl=not text.endswith("\n"))
        return
    with written_bytes(output, option) as write:
        yield lambda text: write(text.encode())


@contextlib.contextmanager
def written_bytes(output: str, option: str = "--output") -> Iterator[Callable[[bytes], None]]:
    """Give what writes bytes to a file; the rest is as for :func:`written`."""
    path = Path(output)
    if path.exists() and not path.is_file():  # a pipe, a terminal: nothing to put in its place
        with _explained(output, option), path.open("wb") as stream:
            yield lambda raw: _discard(stream.write(raw))
        return
    path = Path(os.path.realpath(path))
    with _explained(output, option):
        # Between the file and its name nobody may interrupt, or it would stay.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            raise
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            with os.fdopen(descriptor, "wb") as stream:
                yield lambda raw: _discard(stream.write(raw))
                os.fchmod(stream.fileno(), _mode(path))
            os.replace(name, path)  # noqa: PTH105 (a name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108 (a name)
            raise


def _discard(_written: int) -> None:
    """Take what write() returns."""


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


@contextlib.contextmanager
def _explained(output: str, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AnalyzerError(
            f"cannot write {output!r}: {error.strerror}. Choose another file with {option}."
        ) from None
