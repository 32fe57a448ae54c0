"""Opens the destination that the settings name for the log."""

from __future__ import annotations

import os
from typing import Optional

from analyzer.config.settings import LogSettings as Settings
from analyzer.recorder.sinks.file import DIRECTORY_MODE, FileWriter, open_file, open_stdout
from analyzer.recorder.sinks.rotation import Archive
from analyzer.recorder.sinks.trusted import located
from analyzer.recorder.sinks.writer import Writer


def open_writer(settings: Settings) -> Writer:
    """Open what the settings name. Raises SinkError where it cannot be written."""
    if settings.sink == "stdout":
        return open_stdout()
    if settings.sink == "journald":
        from analyzer.recorder.sinks.journald import open_journal  # noqa: PLC0415 (only where it is used)

        return open_journal()
    return open_file(_target(settings.file), _archive(settings), settings.sync_s)


def is_same_place(one: Settings, other: Settings) -> bool:
    """Tell whether both settings name the same place."""
    return one.sink == other.sink and (one.sink != "file" or one.file == other.file)


def set_limits(writer: Writer, settings: Settings) -> None:
    """Apply other limits where the writer has any."""
    if not isinstance(writer, FileWriter):
        return
    writer.syncer.every_s = settings.sync_s
    former, archive = writer.archive, _archive(settings)
    if former is not None and archive is not None:
        former.set_limits(archive.rotate_bytes, archive.total_bytes)
        return
    if former is not None:
        former.stop()
    writer.archive = archive
    if archive is not None:
        archive.warn_if_stuck()


def _target(path: str) -> str:
    """Follow a link: the file itself is rotated, which stays where it is.

    A link that is not followed stays as it is: opening it says why.
    """
    if not os.path.islink(path):  # noqa: PTH114 (as given)
        return path
    try:
        with located(path, follow=True, make_directories=DIRECTORY_MODE) as place:
            return path if place.is_kernels else place.path()
    except OSError:
        return path


def _archive(settings: Settings) -> Optional[Archive]:
    if settings.rotation != "size":
        return None
    return Archive(_target(settings.file), settings.rotate_bytes, settings.total_bytes)
