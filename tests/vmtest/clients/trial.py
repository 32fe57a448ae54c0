"""Run clients, one after another, in a network namespace of their own with an IMDS set one way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.server import Answered
from tests.vmtest.clients.environments import PROGRAMS
from tests.vmtest.clients.evidence import LogReader
from tests.vmtest.clients.expectations import Setting
from tests.vmtest.clients.roster import Client
from tests.vmtest.clients.store import Store
from tests.vmtest.clients.targets import SEARCH_PATH

_LOOK_AGAIN_S = 0.02
_SAID_MAX = 2000  # characters shown of what a client said, of the end
_IMDS = f"http://{IMDS_IPV4}"
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+~-]*")


class Patience(NamedTuple):
    """How long is waited for what, by how many times slower than a machine this one is."""

    slowness: float

    @property
    def client_s(self) -> float:
        """For a client's end. The slowest take some seconds, most of it time-outs."""
        return 60 + 20 * self.slowness

    @property
    def log_s(self) -> float:
        """For the log to catch up: it waits 5 s for an answer that does not come."""
        return 10 + 5 * self.slowness


class Ready(NamedTuple):
    """A client that can be run here, or why it cannot."""

    client: Client
    version: str
    skipped: Optional[str]


class Trial(NamedTuple):
    """One client's run. ``counted`` is what IMDS was asked meanwhile, by its own count."""

    pid: int
    argv: tuple[str, ...]
    trouble: Optional[str]
    said: str
    counted: Counter[Answered]


def look_up(client: Client, store: Store) -> Ready:
    """Find out a client's version, and whether it can be run."""
    print(f"looking for {client.name}", file=sys.stderr, flush=True)
    needed = f"Needs {' '.join(client.packages)}" if client.packages else ""
    environment = client.environment
    if environment is not None and not store.has(client.name, environment):
        flag = f" --for {store.target.name}" if store.target else ""
        why = f"it has not been prepared (python -m tests.vmtest.clients --prepare{flag})"
        return Ready(client, "", f"{why}. {needed}".rstrip(". "))
    with tempfile.TemporaryDirectory(prefix="imds-client-") as home:
        try:
            done = subprocess.run(
                _filled(client.version, client, store),
                env=_variables(client, store, Path(home)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="backslashreplace",
                check=False,
            )
        except OSError as error:
            return Ready(client, "", f"{error.strerror}. {needed}")
    version = _VERSION.search(done.stdout)
    if done.returncode != 0 or version is None:
        said = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return Ready(client, "", f"{said[0]}. {needed}")
    return Ready(client, version.group(), None)


def run_setting(
    setting: Setting,
    clients: Sequence[Client],
    store: Store,
    logs: Sequence[Path],
    patience: Patience,
    stop: threading.Event,
) -> dict[str, Trial]:
    """Run the clients under one setting; returns their trials by name. Raises LabError.

    ``logs`` are those of running analyzers. Setting ``stop`` ends it, and what runs.
    """
    timeout_s = setting.timeout_s(patience.slowness)
    trials: dict[str, Trial] = {}
    with LabNamespace() as namespace, ImdsProcess(namespace, setting.options) as imds:
        for client in clients:
            if stop.is_set():
                break
            # In an emulated machine the table is a long time coming.
            print(f"{setting.name}: {client.name}", file=sys.stderr, flush=True)
            before = Counter(imds.tally())
            readers = [LogReader(log) for log in logs]
            with tempfile.TemporaryDirectory(prefix="imds-client-") as home:
                variables = _variables(client, store, Path(home), timeout_s)
                argv = _filled(client.argv, client, store)
                trial = _run(namespace, argv, variables, Path(home), patience.client_s, stop)
            counted = _settle(imds, before, readers, trial.pid, patience.log_s, stop)
            trials[client.name] = trial._replace(counted=counted)
    return trials


def _run(
    namespace: LabNamespace,
    argv: tuple[str, ...],
    variables: Mapping[str, str],
    home: Path,
    patience_s: float,
    stop: threading.Event,
) -> Trial:
    output = home / "output"
    with output.open("wb") as stream:
        child = namespace.popen(argv, stdout=stream, stderr=stream, env=variables, cwd=home)
        ended = _await(lambda: child.poll() is not None, patience_s, stop)
    if not ended:
        # Its own children, too; it leads the group, and is not waited for yet.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    said = output.read_text("utf-8", "backslashreplace").strip()[-_SAID_MAX:]
    trouble = None if ended else f"it did not end within {patience_s:.0f} s"
    return Trial(child.pid, argv, trouble, said, Counter())


def _settle(
    imds: ImdsProcess,
    before: Counter[Answered],
    readers: Sequence[LogReader],
    pid: int,
    patience_s: float,
    stop: threading.Event,
) -> Counter[Answered]:
    """Wait until each log names all that IMDS counted, and return that; if not, it is judged so."""

    def all_are_named() -> bool:
        counted = Counter(imds.tally()) - before
        return all(reader.answered_by(pid) == counted for reader in readers)

    _await(all_are_named, patience_s, stop)
    return Counter(imds.tally()) - before


def _await(condition: Callable[[], bool], patience_s: float, stop: threading.Event) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline or stop.wait(_LOOK_AGAIN_S):
            return False
    return True


def _filled(argv: Sequence[str], client: Client, store: Store) -> tuple[str, ...]:
    places = {
        "{env}": str(store.directory(client.name)),
        "{programs}": str(PROGRAMS),
        "{imds}": _IMDS,
    }
    return tuple(_replaced(each, places) for each in argv)


def _replaced(text: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def _variables(
    client: Client, store: Store, home: Path, timeout_s: Optional[int] = None
) -> dict[str, str]:
    """Return the whole environment: no proxy, no credentials and nobody's personal settings."""
    variables = {"PATH": SEARCH_PATH, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    if timeout_s is not None:  # without it our programs do not run: they have no address
        variables["IMDS_URL"] = _IMDS
        variables["IMDS_TIMEOUT_S"] = str(timeout_s)
        variables["AWS_METADATA_SERVICE_TIMEOUT"] = str(timeout_s)
        variables["AWS_METADATA_SERVICE_NUM_ATTEMPTS"] = "1"
    for name, value in client.variables:
        (variables[name],) = _filled((value,), client, store)
    return variables
