"""How long it takes from process start until the probe is attached, and until lines are written.

With ``--before`` an earlier version is measured in turn with this one, on the same machine and with
the same packages: ``--before a841c91`` is the last that imported everything before it attached.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.errors import AnalyzerError
from analyzer.recorder.sources.probe.bcc import find_headers, import_bcc
from bench.figure import CannotMeasureError, Row, show, show_table
from bench.observed import ObservedAnalyzer

CORE = "core/auto"
BCC = "bcc/auto"
RUNS = 7
# Each compiles the probe anew.
BCC_RUNS = 3
CHECKOUT = Path(__file__).resolve().parents[1]
NOW = "now"

# As an installed release starts: no search for packages but one, and nothing of the caller's.
_PROGRAM = """import sys
sys.path.insert(0, {tree!r})
from analyzer.__main__ import main
main()
"""


class Start(NamedTuple):
    """What one start took, in seconds, and the name of the probe."""

    attached_s: float
    ready_s: float
    probe: str


class Version(NamedTuple):
    """A source tree, and the command that runs it."""

    name: str
    command: tuple[str, ...]


def main(argv: Sequence[str]) -> None:
    """Measure one probe, or core and, where it can work, bcc."""
    parser = argparse.ArgumentParser(prog="python -m bench startup", description=__doc__)
    parser.add_argument("--probe", help="such as core/kprobe or bcc/kprobe; default: both loaders")
    parser.add_argument("--runs", type=int, default=None)
    parser.add_argument("--before", help="a Git revision, or a directory where one is compiled")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as directory:
        versions = list(_versions(given.before, Path(directory)))
        for number, probe in enumerate([given.probe] if given.probe else [CORE, BCC]):
            _show(probe, given.runs, versions, argv if number == 0 else ())


def _show(
    probe: str, runs: Optional[int], versions: Sequence[Version], options: Sequence[str]
) -> None:
    is_core = probe.startswith("core")
    reason = None if is_core else maybe_why_no_bcc()
    title = f"Start-up with {probe}: `imds-analyzer run`, seconds from process start"
    if reason:
        show("startup", title, [Row(probe, f"not measured: {reason}")], options)
        return
    show("startup", title, [], options)
    starts = measure(probe, runs or (RUNS if is_core else BCC_RUNS), versions)
    show_table(
        ("version", "attached: median", "most", "ready: median", "most", "probe"),
        [_cells(name, found) for name, found in starts.items()],
    )
    attached_s = [
        statistics.median(start.attached_s for start in found) for found in starts.values()
    ]
    if len(attached_s) > 1:
        share = attached_s[-1] / attached_s[0]
        print(f"  attached after {share:.0%} of the time before   target: at most 33%")


def measure(probe: str, runs: int, versions: Sequence[Version]) -> dict[str, list[Start]]:
    """Start each version so many times, in turn; once more before, unmeasured, to compile it."""
    starts: dict[str, list[Start]] = {version.name: [] for version in versions}
    for version in versions:
        _start(probe, version)
    for _ in range(runs):
        for version in versions:
            starts[version.name].append(_start(probe, version))
    return starts


def maybe_why_no_bcc() -> Optional[str]:
    """Return why BCC cannot compile for the running kernel, None where it may."""
    try:
        import_bcc()
    except (ImportError, AnalyzerError) as error:
        return str(error)
    if find_headers() is None:
        return "the headers of the running kernel are not installed"
    return None


def _start(probe: str, version: Version) -> Start:
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
        ObservedAnalyzer(Path(directory), probe, command=version.command) as analyzer,
    ):
        name = next(analyzer.lines("analyzer_started"))["observer"]["probe"]
        return Start(analyzer.attached_s, analyzer.ready_s, name)


def _cells(name: str, starts: Sequence[Start]) -> tuple[str, ...]:
    attached = [start.attached_s for start in starts]
    ready = [start.ready_s for start in starts]
    return (
        name,
        *(f"{statistics.median(attached):.3f}", f"{max(attached):.3f}"),
        *(f"{statistics.median(ready):.3f}", f"{max(ready):.3f}"),
        starts[-1].probe,
    )


def _versions(before: Optional[str], directory: Path) -> Iterator[Version]:
    python = _environment(directory / "environment")
    if before is not None:
        yield _version(f"before ({before})", python, _tree(before, directory / "before"))
    yield _version(NOW, python, CHECKOUT)


def _version(name: str, python: Path, tree: Path) -> Version:
    program = python.parent / f"imds-analyzer-{tree.name}"
    program.write_text(_PROGRAM.format(tree=str(tree)), encoding="utf-8")
    return Version(name, (str(python), "-I", str(program)))


def _environment(directory: Path) -> Path:
    """Make a virtual environment with our packages, without this checkout; return its Python."""
    venv.create(directory, symlinks=True, with_pip=False)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return directory / "bin" / "python"


def _tree(before: str, directory: Path) -> Path:
    """Return a directory as it is; lay out and compile a revision."""
    if Path(before).is_dir():
        return Path(before).resolve()
    directory.mkdir()
    archive = ["git", "-C", str(CHECKOUT), "archive", "--format=tar", before]
    packed = subprocess.run(archive, capture_output=True, check=False)
    if packed.returncode:
        raise CannotMeasureError(packed.stderr.decode(errors="replace").strip())
    subprocess.run(["tar", "-x", "-C", str(directory)], input=packed.stdout, check=True)
    subprocess.run(["make", "-C", str(directory), "build"], capture_output=True, check=True)
    return directory
