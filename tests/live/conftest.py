"""The real thing: a probe in the running kernel, an IMDS in a namespace of our own.

``IMDS_ANALYZER_REQUIRE`` names the probes that must work here ("core/fentry
core/kprobe"); one that is not named and does not attach is skipped with its reason.
``IMDS_ANALYZER_PROBES`` limits the tests to the probes it names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Optional

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.cgroups import made_cgroup, maybe_hierarchy
from tests.closing import show
from tests.live.account_run import AccountRun, begun
from tests.live.manager import Manager, listening
from tests.live.paths.ways import Program, compiled
from tests.live.watch import Watch, skip_unavailable

PROBES = ("core/fentry", "core/kprobe", "core/tracepoint", "bcc/fentry", "bcc/kprobe")
REQUIRED = os.environ.get("IMDS_ANALYZER_REQUIRE", "").split()
CHOSEN = os.environ.get("IMDS_ANALYZER_PROBES", "").split() or list(PROBES)

# No probe of BCC's watches the wire.
WITHOUT_WIRE = ("bcc/fentry", "bcc/kprobe")

# Notes for the table that is printed at the end: a path, and what became of it.
Row = Callable[[str, str], None]
# What does not depend on the way of attaching is asked of one probe where several must
# work, as in an emulated machine, where each start takes half a minute.
ONE_OF_CHOSEN = CHOSEN[:1] if REQUIRED else CHOSEN


# Files of which an emulated machine runs each test with one probe: what they show comes from the
# wire, or from forks, which all probes have in common.
ONCE: tuple[str, ...] = ("test_evidence.py", "test_framing.py", "test_ancestry.py")
# Further ones in a run that is to be shorter, see tests/vmtest/kernels/plan.py.
ONCE += tuple(os.environ.get("IMDS_ANALYZER_ONCE", "").split())

# Fixtures by which a test can make calls. One that is marked as quiet has none of them: it runs
# beside tests that count all calls of the host, or all losses of their ring.
#
# What it starts itself hears the calls of those others, and must not mind. Each recorder has a
# ring, counters and maps of its own; a kernel runs 38 programs on a function and 64 on a
# tracepoint or cgroup, of which a recorder needs one. What others call makes its log longer, its
# ring fuller and its memory larger, so no quiet test looks at these. Ready files, logs, sockets
# and cgroups are below the test's own directory, or have a name that was made for it. Time is
# shared: a quiet test waits for conditions, with deadlines for a machine that is busy.
CALLING = frozenset({"account_run", "alone", "fresh", "imds", "namespace", "watch"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)
            _check_quiet(item)
        (chosen if _is_chosen(item) else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = chosen


def _is_chosen(item: pytest.Item) -> bool:
    if item.path.name not in ONCE or not isinstance(item, pytest.Function):
        return True
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return parameters.get("probe", CHOSEN[0]) in ONE_OF_CHOSEN


def _check_quiet(item: pytest.Item) -> None:
    if item.get_closest_marker("quiet") and isinstance(item, pytest.Function):
        calling = sorted(CALLING.intersection(item.fixturenames))
        if calling:
            raise pytest.UsageError(f"{item.nodeid} is quiet and has {', '.join(calling)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each probe saw of each path."""
    show(terminalreporter, "send paths", "path")


@pytest.fixture(scope="session")
def namespace() -> Iterator[LabNamespace]:
    """Return a network namespace in which the IMDS addresses are ours."""
    if os.geteuid() != 0:
        pytest.fail("the live tests need root: sudo make test")
    with LabNamespace() as namespace:
        yield namespace


@pytest.fixture(scope="session")
def imds(namespace: LabNamespace) -> Iterator[ImdsProcess]:
    """Return the emulated IMDS, answering in the namespace."""
    with ImdsProcess(namespace) as imds:
        yield imds


@pytest.fixture(scope="session", params=CHOSEN)
def probe(request: pytest.FixtureRequest) -> str:
    """Return the name of a probe, such as core/fentry."""
    name: str = request.param
    return name


@pytest.fixture(scope="session", params=ONE_OF_CHOSEN)
def one_probe(request: pytest.FixtureRequest) -> str:
    """Return the name of a probe, for what is the same with all of them."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def _skipped_at_once(request: pytest.FixtureRequest) -> None:
    """Skip what has no probe here before anything is made for it."""
    for name in ("probe", "one_probe"):
        if name in request.fixturenames:
            chosen: str = request.getfixturevalue(name)
            if chosen not in REQUIRED:
                skip_unavailable(chosen)


@pytest.fixture(scope="session")
def manager_of_watch(probe: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """Return the service manager of the analyzer that runs all the time."""
    assert probe
    with listening(tmp_path_factory.mktemp("manager") / "notify") as manager:
        yield manager


@pytest.fixture(scope="session")
def watch(
    probe: str,
    namespace: LabNamespace,
    imds: ImdsProcess,
    manager_of_watch: Manager,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watch]:
    """Return a running analyzer with this probe."""
    assert imds.listening
    watch = Watch(probe, namespace, tmp_path_factory.mktemp("watch"))
    watch.environment = {"NOTIFY_SOCKET": manager_of_watch.address}
    with watch.running(required=probe in REQUIRED):
        yield watch


@pytest.fixture
def fresh(one_probe: str, namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path) -> Watch:
    """Return an analyzer that the test starts itself."""
    assert imds.listening
    return Watch(one_probe, namespace, tmp_path)


@pytest.fixture
def unasked(one_probe: str, tmp_path: Path) -> Watch:
    """Return an analyzer that a quiet test starts: its namespace is never made."""
    return Watch(one_probe, LabNamespace(), tmp_path)


@pytest.fixture(scope="module")
def alone() -> Iterator[LabNamespace]:
    """Return a namespace in which the tests themselves are IMDS."""
    with LabNamespace() as namespace:
        yield namespace


@pytest.fixture(scope="session")
def account_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Optional[AccountRun]]:
    """Return a run of ``lab --account`` that has made its calls; None for want of a package."""
    with begun(tmp_path_factory.mktemp("account")) as run:
        yield run


@pytest.fixture
def wired(watch: Watch) -> None:
    """Have the wire watched: skip the test where it is not, and fail it where it must be."""
    if watch.has_wire:
        return
    why = watch.lines("analyzer_started")[0]["witnesses"]
    if watch.probe in REQUIRED and watch.probe not in WITHOUT_WIRE:
        pytest.fail(f"the wire must be watched here: {why}")
    pytest.skip(f"the wire is not watched: {why}")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Return the compiled client that sends in ways Python cannot."""
    return compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture
def row(probe: str, record_property: Callable[[str, object], None]) -> Row:
    """Return what adds a row to the table of send paths."""
    return lambda path, result: record_property("path", f"{path:51}{probe:17}{result}")


@pytest.fixture
def parent() -> Iterator[Path]:
    """Make a cgroup for one test, and remove it with all below it."""
    hierarchy = maybe_hierarchy()
    if hierarchy is None:
        pytest.skip("no unified cgroup hierarchy is mounted: mount -t cgroup2 none DIRECTORY")
    with made_cgroup(hierarchy) as made:
        yield made
