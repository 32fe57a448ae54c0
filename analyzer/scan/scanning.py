"""Runs a scan: walks, asks the finders of each file, judges, and counts what it could not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Callable, Optional

from analyzer.clients.table import Clients
from analyzer.scan.findings import LIBRARY, PACKAGE, SCRIPT, Finding, Outcome
from analyzer.scan.judging import findings_of
from analyzer.scan.walk import Place, Walk
from analyzer.software.budget import Budget, Spent
from analyzer.software.finders import Finder, finders
from analyzer.software.found import Found
from analyzer.software.root import Root

# For one file: the largest jars of applications, and a database of 10,000 packages.
_BYTES_MAX = 256 << 20
_FILES_MAX = 10_000
_CPU_S = 5.0
# Where libraries that are installed lie. A script there is a part of a library.
_THIRD_PARTY = re.compile(
    r"/(?:site|dist)-packages/|/node_modules/|/gems/|/vendor/(?:bundle|composer)?|/go/pkg/mod/|/usr/share/gocode/|/usr/(?:include|src)/|/\.(?:cargo|m2|gradle|nuget|ivy2)/"
    r"|/usr/(?:lib|share)/(?:python3|perl5?|ruby|php|doc|man|locale)(?:/|$)"
)
# Written to be read, or to be run against something else.
_EXAMPLES = re.compile(
    r"/(?:examples?|docs?|tests?|testing|testdata|spec|fixtures?|__tests__|mocks?|__mocks__|cassettes|e2e)/"
    r"|/(?:test_[^/]*|conftest|[^/]*(?:[._](?:test|tests|spec)|[a-z](?:Tests?|Spec)))\.\w+$"
)

Progress = Callable[[int], None]


def scan(
    paths: Sequence[str],
    clients: Clients,
    *,
    is_everywhere: bool = False,
    progress: Optional[Progress] = None,
) -> Outcome:
    """Return what lies below the paths; after an interrupt, what was found until then.

    ``progress`` is called with the number of files and folders looked at, now and then.
    """
    outcome = Outcome(tuple(paths))
    scanner = _Scanner(clients, outcome)
    walk = Walk(
        is_everywhere=is_everywhere,
        tell_unread=lambda path, error: outcome.add_unread(path, error.strerror),
        tell_skipped=outcome.skipped.setdefault,
    )
    try:
        for path in paths:
            for place in walk.files(path):
                outcome.files += 1
                scanner.look(place)
                if progress is not None and outcome.files % 256 == 0:
                    progress(outcome.files + walk.folders)
    except KeyboardInterrupt:
        outcome.is_interrupted = True
    finally:
        scanner.close()
    outcome.folders = walk.folders
    outcome.findings = list(_once(outcome.findings))
    return outcome


class _Scanner:
    """Asks the finders of one file after the other."""

    def __init__(self, clients: Clients, outcome: Outcome) -> None:
        self._clients = clients
        self._outcome = outcome
        self._finders = tuple(finders())
        self._roots: dict[str, Root] = {}

    def look(self, place: Place) -> None:
        """Add what a file says."""
        for name, finder in self._finders:
            if finder.is_wanted(place.path) and not (name == "scripts" and _is_library(place.path)):
                self._ask(name, finder, place)

    def close(self) -> None:
        """Release the roots."""
        for root in self._roots.values():
            root.close()

    def _ask(self, name: str, finder: Finder, place: Place) -> None:
        found: list[Found] = []
        try:
            root = self._root(place.root)
            root.budget = Budget(bytes_max=_BYTES_MAX, files_max=_FILES_MAX, cpu_s=_CPU_S)
            for each in finder.of_file(root, place.path):
                found.append(each)  # noqa: PERF402 (what was found before a fault stands)
        except Spent:
            self._outcome.add_unread(place.shown, f"{name}: too large or too slow to read whole")
        except FileNotFoundError:
            pass  # gone since
        except OSError as error:
            self._outcome.add_unread(place.shown, error.strerror)
        for finding in findings_of(found, place.root, self._clients):
            self._outcome.add(finding)

    def _root(self, path: str) -> Root:
        root = self._roots.get(path)
        if root is None:
            # A host has few layers that hold something of interest.
            if len(self._roots) >= 64:  # noqa: PLR2004
                self.close()
                self._roots.clear()
            root = self._roots[path] = Root(path or "/")
        return root


def _is_library(path: str) -> bool:
    return _THIRD_PARTY.search(path) is not None or _EXAMPLES.search(path) is not None


def _once(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield each finding once; a package whose library was found says nothing more."""
    libraries = {(each.client, each.version) for each in findings if each.kind == LIBRARY}
    order = {SCRIPT: 0, LIBRARY: 1, PACKAGE: 2}
    unique = dict.fromkeys(findings)
    for each in sorted(unique, key=lambda each: (order[each.kind], each.path, each.line)):
        plain = each.version.partition("-")[0].rpartition(":")[2]
        if each.kind != PACKAGE or (each.client, plain) not in libraries:
            yield each
