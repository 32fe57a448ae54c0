"""Print, inside a guest, why a probe does not work there.

``python -m tests.vmtest.kernels.trial bcc/kprobe`` prints it for one probe.
"""

from __future__ import annotations

import sys

from analyzer.errors import NoSourceWorks
from analyzer.recorder.sources.selection import open_source

RING_BYTES = 1 << 20


def main(probe: str) -> int:
    """Attach the probe and take it away; prints the reason and returns 1 where that fails."""
    source, attach = probe.split("/")
    try:
        opened = open_source(source, attach, RING_BYTES)
    except NoSourceWorks as error:
        print("; ".join(each.lacks for each in error.tried))
        return 1
    opened.source.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
