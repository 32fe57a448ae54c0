"""Call an emulated IMDS, in a network namespace of our own, as v1 and as v2.

Run by the Python of the installed analyzer, whose lab it uses; prints the session token, so
that it can be looked for where it must not be.
"""

from __future__ import annotations

import sys

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace

TIMEOUT_S = 600

_SCRIPT = """\
set -eu
url=http://{address}/latest
ask() {{ curl --silent --show-error --fail --max-time 120 "$@"; }}
ask --output /dev/null "$url/meta-data/instance-id?{marker}-v1"
token=$(ask --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \\
  "$url/api/token?{marker}-token")
ask --output /dev/null --header "X-aws-ec2-metadata-token: $token" \\
  "$url/meta-data/instance-id?{marker}-v2"
echo "$token"
"""


def main(marker: str) -> None:
    """Make the three requests; the marker is in the query of each."""
    script = _SCRIPT.format(address=IMDS_IPV4, marker=marker)
    with LabNamespace() as namespace, ImdsProcess(namespace):
        done = namespace.run(["sh", "-c", script], timeout_s=TIMEOUT_S)
    sys.stdout.write(done.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
