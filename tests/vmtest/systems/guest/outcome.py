"""The lines that the guest writes for the host: facts and steps."""

from __future__ import annotations

import contextlib
import json
import os
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class StepFailed(Exception):
    """A step found something that is not as it must be; its text is for the table."""


class Outcome:
    """Write lines of JSON, each on the host's disk before the next thing is done."""

    def __init__(self, path: Path, boot: int) -> None:
        """Take the file to append to and the number of this boot."""
        self._path = path
        self.boot = boot
        self.failed: list[str] = []

    def fact(self, name: str, value: Any) -> None:
        """Write something worth knowing that is neither right nor wrong."""
        self._write(kind="fact", name=name, value=value)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Write whether what is done inside went well; what it raises stays inside."""
        print(f"== {name}", flush=True)
        began = time.monotonic()
        trouble = ""
        try:
            yield
        except StepFailed as error:
            trouble = str(error)
        except Exception:  # noqa: BLE001 - a driver that stops would hide the steps behind
            trouble = traceback.format_exc()
        if trouble:
            self.failed.append(name)
        seconds = round(time.monotonic() - began, 1)
        self._write(kind="step", name=name, ok=not trouble, seconds=seconds, trouble=trouble)
        print(f"== {name}: {trouble or 'ok'} ({seconds} s)", flush=True)

    def _write(self, **line: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"boot": self.boot, **line}) + "\n")
            file.flush()
            os.fsync(file.fileno())


def require(condition: object, trouble: str) -> None:
    """Fail the step unless the condition holds."""
    if not condition:
        raise StepFailed(trouble)
