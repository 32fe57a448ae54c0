"""Runs ``imds-analyzer run``: attaches the probe and writes a line for each call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Optional

import click

from analyzer.config.file import load
from analyzer.config.settings import ATTACHES, ROTATIONS, RULES, SOURCES, Capture, LogSettings
from analyzer.recorder.early_attach import HeadStart


def _by_rule(setting: str) -> Callable[[click.Context, click.Parameter, object], object]:
    """Return what judges a flag as the file's reader judges that setting."""

    def parse(_context: click.Context, _flag: click.Parameter, value: object) -> object:
        try:
            return None if value is None else RULES[setting].parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value} {error}.") from None

    return parse


@click.command()
@click.option(
    "--config",
    "config_file",
    metavar="PATH",
    help="Configuration file. Flags override it. SIGHUP reloads it.",
)
@click.option("--check", is_flag=True, help="Only check the settings.")
@click.option(
    "--log-file",
    show_default="- without --config",
    metavar="PATH",
    help="Write the JSON lines to PATH; - is standard output.",
)
@click.option(
    "--rotation",
    type=click.Choice(ROTATIONS),
    show_default=LogSettings.rotation,
    help="size: rotate a large file. external: another program rotates and sends SIGUSR1.",
)
@click.option(
    "--repeats-per-s",
    type=int,
    callback=_by_rule("log.repeats_per_s"),
    show_default=str(LogSettings.repeats_per_s),
    metavar="LINES",
    help="Lines a second of one caller. Further calls become one line with counts. 0: no limit.",
)
@click.option(
    "--ready-file",
    metavar="PATH",
    help="A file that exists while the probe is attached.",
)
@click.option("--source", type=click.Choice(SOURCES), show_default=Capture.source)
@click.option("--attach", type=click.Choice(ATTACHES), show_default=Capture.attach)
@click.option(
    "--wire/--no-wire",
    default=None,
    show_default="--wire",
    help="Also watch packets: they show the bytes that were really sent.",
)
@click.option(
    "--ring-mib",
    type=int,
    callback=_by_rule("capture.ring_mib"),
    show_default=str(Capture.ring_mib),
    help="Size of the kernel's ring buffer in MiB, a power of two.",
)
@click.option(
    "--heartbeat",
    "heartbeat_s",
    type=float,
    callback=_by_rule("log.heartbeat_s"),
    show_default=str(LogSettings.heartbeat_s),
    metavar="SECONDS",
    help="Interval of heartbeat lines.",
)
@click.option(
    "--response-wait",
    "response_wait_s",
    type=float,
    callback=_by_rule("capture.response_wait_s"),
    show_default=str(Capture.response_wait_s),
    metavar="SECONDS",
    help="How long to wait for the answer before writing a request. 0: not at all.",
)
@click.option(
    "--write-pcap",
    metavar="FILE",
    help="Also write the calls as packets for Wireshark (pcapng), with secrets replaced by *.",
)
@click.option(
    "--write-pcap-mib",
    type=int,
    callback=_by_rule("capture.write_pcap_mib"),
    metavar="MIB",
    show_default=str(Capture.write_pcap_mib),
    help="Maximum size of that file.",
)
@click.pass_obj
def run(
    head_start: Optional[HeadStart],
    config_file: Optional[str],
    check: bool,
    log_file: Optional[str],
    rotation: Optional[str],
    repeats_per_s: Optional[int],
    ready_file: Optional[str],
    source: Optional[str],
    attach: Optional[str],
    wire: Optional[bool],
    ring_mib: Optional[int],
    heartbeat_s: Optional[float],
    response_wait_s: Optional[float],
    write_pcap: Optional[str],
    write_pcap_mib: Optional[int],
) -> None:
    """Record IMDS calls as JSON lines.

    SIGTERM and SIGINT write the buffered calls and the totals, then end the program. SIGHUP
    reloads the configuration. SIGUSR1 reopens the log after another program rotated it.
    """
    flags = {
        "capture.source": source,
        "capture.attach": attach,
        "capture.wire": wire,
        "capture.ring_mib": ring_mib,
        "capture.response_wait_s": response_wait_s,
        "capture.write_pcap": None if write_pcap is None else _absolute(write_pcap),
        "capture.write_pcap_mib": write_pcap_mib,
        "log.rotation": rotation,
        "log.heartbeat_s": heartbeat_s,
        "log.repeats_per_s": repeats_per_s,
        **log_flags(log_file, config_file),
    }
    flags = {name: value for name, value in flags.items() if value is not None}
    config = load(config_file, flags)
    if check:
        click.echo(f"{config_file or 'the settings'}: nothing is wrong")
        return
    # Late, so that --help does not load them.
    from analyzer.recorder.lean import load_structlog

    load_structlog()
    from analyzer.recorder.build import run as record

    record(config, ready_file, config_file, flags, head_start or HeadStart())


def log_flags(log_file: Optional[str], config_file: Optional[str]) -> dict[str, object]:
    """Return the settings that --log-file means, beside a configuration file or without."""
    if log_file is None:
        return {} if config_file is not None else {"log.sink": "stdout"}
    if log_file == "-":
        return {"log.sink": "stdout"}
    return {"log.sink": "file", "log.file": _absolute(log_file)}


def _absolute(path: str) -> str:
    """Return a path from / on, otherwise as given: a rotated log is opened again by it."""
    return os.path.join(Path.cwd(), path)  # noqa: PTH118
