"""``imds-analyzer replay``: read captures, and write a line for each call in them."""

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
    help="Where the JSON lines go; - is standard output.",
)
@click.option(
    "--host",
    "host_name",
    default="",
    metavar="NAME",
    help="The host the packets were sent from; a capture does not tell.",
)
@click.option(
    "--response-wait",
    "response_wait_s",
    type=click.FloatRange(0, 60),
    default=Capture.response_wait_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may wait for its answer, in the capture's time.",
)
def replay(
    files: tuple[str, ...], log_file: Optional[str], host_name: str, response_wait_s: float
) -> None:
    """Read pcap or pcapng FILES, gzip too, and write the lines that `run` would have written.

    Times are the captures' own. Who sent a request, packets do not tell: only its address. With -
    a capture is read from standard input while it is being written: tcpdump -U -w - | ... replay -

    Exit code 2: a file is damaged; what could be read of it has been written.
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
