"""Captures of real programs' calls, made in the lab's namespace.

``python -m tests.captures`` (root) makes those of tests/golden/captures anew; the lines that
are expected of them are then to be looked at, and written with --expected.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from analyzer import __version__
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.programs import LabProgram, program_environment, write_programs
from tests.command_line import command_line

GOLDEN = Path(__file__).parent / "golden" / "captures"
DEADLINE_S = 60.0
POLL_S = 0.05


class Recorder(NamedTuple):
    """A program that captures, and how it says that it has begun."""

    argv: tuple[str, ...]
    begun: bytes


# A packet has as much room in its buffer as the snapshot length says, and the default buffer
# holds eight of the default length.
TCPDUMP = ("tcpdump", "-n", "--immediate-mode", "-U", "-Z", "root", "-B", "16384", "-w")
LENGTH = ("-s", "9000")
# File name: what records it. The filter is of whoever wants no more than needed.
RECORDERS = {
    "lo.pcap": Recorder((*TCPDUMP, "FILE", "-i", "lo", *LENGTH, "port", "80"), b"listening on"),
    "any-nano.pcap": Recorder(
        (*TCPDUMP, "FILE", "-i", "any", *LENGTH, "--time-stamp-precision=nano"), b"listening on"
    ),
    "short.pcap": Recorder((*TCPDUMP, "FILE", "-i", "lo", "-s", "120"), b"listening on"),
    "dumpcap.pcapng": Recorder(("dumpcap", "-q", "-i", "lo", "-i", "any", "-w", "FILE"), b"File:"),
}
# As few as show both versions, a connection for each request and one for several.
GOLDEN_PROGRAMS = ("curl", "Python with a token", "both on one connection", "curl over IPv6")


@contextmanager
def recording(namespace: LabNamespace, name: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a recorder run in the namespace while the block does."""
    recorder = RECORDERS[name]
    argv = [str(path) if word == "FILE" else word for word in recorder.argv]
    process = namespace.popen(argv, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        said = b""
        while recorder.begun not in said:
            line = process.stderr.readline()
            assert line, f"{name}: {said.decode()}"
            said += line
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)


def record(
    namespace: LabNamespace, names: Sequence[str], directory: Path, programs: Sequence[LabProgram]
) -> dict[str, str]:
    """Capture what programs send, by several recorders at once, in files of their names.

    Returns what `replay` writes of each, once all requests are in it.
    """
    environment = program_environment(directory)
    expected = sum(len(program.expected) for program in programs)
    lines: dict[str, str] = {}
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(recording(namespace, name, directory / name))
        for program in programs:
            namespace.run(program.argv, env=environment)
        deadline = time.monotonic() + DEADLINE_S
        for name in names:
            lines[name] = replayed(directory / name)
            while lines[name].count('"imds_request"') < expected and time.monotonic() < deadline:
                time.sleep(POLL_S)
                lines[name] = replayed(directory / name)
    return lines


def replayed(*paths: Path, arguments: Sequence[str] = (), standard_input: bytes = b"") -> str:
    """Return what `replay` writes, whether it could read all or not."""
    names = [str(path) for path in paths] if paths else ["-"]
    done = command_line("replay", *arguments, *names, standard_input=standard_input)
    text = done.stdout.decode().replace(f'"version":"{__version__}"', '"version":"VERSION"')
    return re.sub(r'"cpu_s":[0-9.]+,"rss_bytes":[0-9]+', '"cpu_s":0.0,"rss_bytes":0', text)


def main() -> None:
    """Make the captures, or the lines that are expected of them."""
    if sys.argv[1:] == ["--expected"]:
        for path in sorted(GOLDEN.glob("*.pcap*")):
            path.with_suffix(".jsonl").write_text(golden_lines(path), "utf-8")
        return
    with tempfile.TemporaryDirectory() as place, LabNamespace() as namespace:
        directory = Path(place)
        programs = [each for each in write_programs(directory) if each.name in GOLDEN_PROGRAMS]
        with ImdsProcess(namespace):
            for name in RECORDERS:
                record(namespace, [name], directory, programs)
                GOLDEN.joinpath(name).write_bytes((directory / name).read_bytes())


def golden_lines(path: Path) -> str:
    """Return what a capture of tests/golden is expected to become, wherever it lies."""
    return replayed(path).replace(f'"{path}"', f'"{path.name}"')


if __name__ == "__main__":
    main()
