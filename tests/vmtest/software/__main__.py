"""Installs the programs, runs them, asks for their software, and prints what was found.

``--packages`` prints the Debian packages that they need, ``--prepare`` installs into the cache.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.vmtest.clients.store import ClientAbsent, ClientError, Store
from tests.vmtest.software import compiled_callers, java_callers, other_callers, python_callers
from tests.vmtest.software.callers import Caller

CALLERS = (
    *python_callers.CALLERS,
    *other_callers.CALLERS,
    *java_callers.CALLERS,
    *compiled_callers.CALLERS,
)


def _prepare(store: Store, callers: Sequence[Caller]) -> int:
    """Make what is missing. Return how many could not be made."""
    failed = 0
    with store.locked():
        for caller in callers:
            environment = caller.environment
            if environment is None or store.has(caller.name, environment):
                continue
            print(f"installing {caller.name}", flush=True)
            try:
                store.make(caller.name, environment)
            except ClientAbsent as error:
                print(f"{caller.name}: {error}")
            except ClientError as error:
                failed += 1
                print(f"{caller.name}: {error}")
    return failed


def main() -> int:
    """Do what the command line says; the exit status is the number of wrong answers, at most 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.vmtest.software", description=__doc__)
    parser.add_argument("--packages", action="store_true", help="print Debian's packages")
    parser.add_argument("--prepare", action="store_true", help="install into the cache")
    parser.add_argument("only", nargs="*", help="part of a caller's name")
    options = parser.parse_args()
    callers = [
        each for each in CALLERS if not options.only or any(w in each.name for w in options.only)
    ]
    if options.packages:
        print(*sorted({package for caller in CALLERS for package in caller.packages}))
        return 0
    store = Store(kind="software")
    if options.prepare:
        return min(1, _prepare(store, callers))
    from tests.vmtest.software.running import run  # noqa: PLC0415 (it needs root's modules)

    return run(store, callers)


if __name__ == "__main__":
    sys.exit(main())
