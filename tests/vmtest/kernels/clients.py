"""The real clients in one guest: the command that runs them, and what their results say."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from tests.vmtest.clients.environments import of_the_analyzer
from tests.vmtest.clients.roster import debian_packages
from tests.vmtest.clients.store import ANALYZER, Store, cache_dir
from tests.vmtest.clients.table import ROWS_FILE, read_rows
from tests.vmtest.clients.table import Row as ClientRow
from tests.vmtest.clients.targets import TARGETS
from tests.vmtest.kernels import arm64
from tests.vmtest.kernels.guest import CHECKOUT
from tests.vmtest.kernels.kernels import Line, line_named
from tests.vmtest.kernels.machine import Outcome
from tests.vmtest.kernels.mirror import VmError
from tests.vmtest.kernels.plan import BCC_PROBES, CORE_PROBES
from tests.vmtest.kernels.suite import Count, Report, Row, warm_up
from tests.vmtest.kernels.trees import Recipe

TARGET = TARGETS[arm64.ARCH]
DEADLINE_S = 3000
# What the guest's run writes to standard output; what it is at, it says on the other stream.
TABLE = "clients.txt"

# What is needed only where clients are made.
_MAKERS = frozenset({"npm", "golang-go", "pypy3-venv", "default-jdk-headless"})
# Debian 12, as TARGETS has it.
TREE = Recipe(
    f"clients-{arm64.ARCH}",
    arm64.ARCH,
    ("bookworm", "bookworm-security"),
    (
        *("base-files", "base-passwd", "libc-bin", "bash", "dash", "coreutils", "util-linux"),
        *("mount", "grep", "sed", "findutils", "iproute2", "procps", "kmod", "busybox-static"),
        *("libbpf1", "python3", "default-jre-headless"),
        *(package for package in debian_packages() if package not in _MAKERS),
    ),
    (
        ("usr/bin/java", "/usr/lib/jvm/default-java/bin/java"),
        ("usr/bin/php", "php8.2"),
        ("etc/php/8.2/cli/conf.d/20-curl.ini", "/usr/share/php8.2-curl/curl/curl.ini"),
    ),
    (
        ("usr/lib/python3.11", TARGET.python),
        ("usr/lib/python3", TARGET.python),
        ("usr/lib/pypy3.9", TARGET.old_python),
    ),
)


def check_prepared() -> None:
    """Raise VmError where the other machine type's clients have not been made."""
    if not Store(TARGET).has(ANALYZER, of_the_analyzer()):
        raise VmError(
            "the clients for the arm64 machine are missing. "
            f"Run: python -m tests.vmtest.clients --prepare --for {TARGET.name}"
        )


def userland() -> arm64.Userland:
    """Return what a machine of the other type has for the clients."""
    return arm64.Userland(TREE, (CHECKOUT, Store(TARGET).root))


def probes_of(line: Line) -> tuple[str, ...]:
    """Return the probes that watch the clients, all at once."""
    return (*CORE_PROBES, *(BCC_PROBES if line.bcc else ()))


def guest_command(name: str, options: Sequence[str] = ()) -> str:
    """Return the shell command that runs the clients in a guest of that kernel line."""
    line = line_named(name)
    python, before, flags = "python", "", ["--no-skips", "--in-guest"]
    if line.arch == arm64.ARCH:
        python = str(Store(TARGET).directory(ANALYZER) / "venv" / "bin" / "python")
        before = warm_up(python)
        flags += ["--for", TARGET.name]
    for probe in probes_of(line):
        flags += ["--probe", probe]
    words = [f"IMDS_ANALYZER_CACHE={cache_dir()}", python, "-m", "tests.vmtest.clients"]
    run = shlex.join(["env", *words, *flags, *options])
    return f"set -o pipefail; {before}{run} --results $RESULTS | tee $RESULTS/{TABLE}"


def judge(outcome: Outcome) -> Report:
    """Turn what one guest left behind into rows and problems."""
    kernel = outcome.kernel
    problems = [f"{kernel.line}: {outcome.trouble}"] if outcome.trouble else []
    by_probe: dict[str, list[ClientRow]] = {}
    probes = probes_of(line_named(kernel.line))
    try:
        by_probe = read_rows(outcome.directory / ROWS_FILE)
    except FileNotFoundError:
        problems.append(f"{kernel.line}: no results, see {outcome.directory}")
    except ValueError as error:
        problems.append(f"{kernel.line}: the results are damaged: {error}")
    else:
        absent = [probe for probe in probes if not by_probe.get(probe)]
        problems += [f"{kernel.line}, {probe}: no results" for probe in absent]
    rows = []
    for probe in probes:
        results = Counter(each.result for each in by_probe.get(probe, ()))
        count = Count(results["ok"], results["wrong"], results["skipped"])
        rows.append(Row(kernel.release, probe, count, "" if results else "none"))
    problems += [
        f"{kernel.line}, {probe}: {each.result}: {each.client}, {each.setting}: {reason}"
        for probe, found in by_probe.items()
        for each in found
        for reason in (each.problems or ([each.skipped] if each.skipped else []))
    ]
    if outcome.status and not problems:
        problems.append(f"{kernel.line}: the clients' run ended with {outcome.status}")
    return Report(tuple(rows), tuple(problems))
