"""Reads a TOML file, and says where an operator got it wrong."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import Any

from analyzer.errors import ConfigError

# The shipped configuration with its explanations has 4 KiB.
SIZE_MAX = 1 << 20


def read(
    path: str,
    what: str = "the configuration",
    otherwise: str = "leave out --config: then flags and defaults count",
) -> str:
    """Return a file's text; raises ConfigError, which says what is read and how to do without."""
    try:
        # Non-blocking: opening a pipe that nobody writes to would wait for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ConfigError(f"{what} {path} is not a file: name a file.")
            raw = file.read(SIZE_MAX + 1)
    except IsADirectoryError:
        raise ConfigError(
            f"{what} {path} is a directory: name a file in it, such as config.toml."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {what} {path}: {error.strerror}. Name a file that this user"
            f" may read, or {otherwise}."
        ) from None
    except ValueError:  # a NUL byte
        raise ConfigError(f"cannot read {what} {path!r}: this is not a valid path") from None
    if len(raw) > SIZE_MAX:
        raise ConfigError(f"{what} {path} is larger than {SIZE_MAX >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: is not UTF-8. Save the file as UTF-8.") from None


def parse(path: str, text: str) -> dict[str, object]:
    """Return what the text says; raises ConfigError, which names the file."""
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 (only where there is a file)
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        document: dict[str, object] = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: brackets are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    except ValueError:
        raise ConfigError(f"{path}: a number in it has thousands of digits") from None
    return document


def tables(
    path: object, document: Mapping[str, object], name: str, what: str
) -> list[dict[str, Any]]:
    """Return the tables of a file that holds nothing but ``[[name]]``, each an entry.

    ``what`` they are is for ConfigError, which is raised for anything else.
    """
    unknown = sorted(document.keys() - {name})
    if unknown:
        raise ConfigError(
            f"{path}: unknown key {unknown[0]!r} in a file of {what}: each entry begins with"
            f" [[{name}]]"
        )
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ConfigError(f"{path}: each entry must begin with [[{name}]], in double brackets")
    return found
