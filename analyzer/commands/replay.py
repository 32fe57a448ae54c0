"""Runs ``imds-analyzer replay``: reads captures and writes a line for each call in them."""

from __future__ import annotations

from typing import Optional

import click

from analyzer.commands.run import log_flags
from analyzer.config.file import load
from analyzer.config.settings import Capture
from analyzer.errors import CaptureError


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--log-file",
    show_default="-",
    metavar="PATH",
    help="Write the JSON lines to PATH; - is standard output.",
)
@click.option(
    "--host",
    "host_name",
    default="",
    metavar="NAME",
    help="The host that sent the packets. A capture does not contain it.",
)
@click.option(
    "--response-wait",
    "response_wait_s",
    type=click.FloatRange(0, 60),
    default=Capture.response_wait_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a request waits for its answer, in the capture's time.",
)
def replay(
    files: tuple[str, ...], log_file: Optional[str], host_name: str, response_wait_s: float
) -> None:
    """Read packet captures and write the same lines as `run`.

    FILES are pcap or pcapng, also compressed with gzip. - is standard input, also while another
    program writes to it: tcpdump -U -w - | ... replay -. The lines have the capture's times. A
    capture has no processes, so callers are named by their address.

    Exit code 2: a file is damaged. Its readable part was written.
    """
    config = load(None, {"log.rotation": "external", **log_flags(log_file, None)})
    # Late, so that --help does not load them.
    from analyzer.recorder.lean import load_structlog

    load_structlog()
    from analyzer.recorder.replay import replay as read

    replayed = read(files, config, host_name, response_wait_s)
    if replayed.lacks_scapy:
        click.echo(
            f"imds-analyzer: {replayed.unknown_links} packets are of a link type or in a tunnel"
            " that needs scapy to be read. Install it: pip install 'imds-analyzer[packet]'",
            err=True,
        )
    if replayed.errors:
        raise CaptureError("\n".join(map(str, replayed.errors)))
