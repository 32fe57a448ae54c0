"""Names the metadata service: its addresses, its port, the instances, and the clouds that have one.

All clouds use the IPv4 address and the port, so a client of another cloud's service calls AWS's.
"""

from __future__ import annotations

import re

IMDS_IPV4 = "169.254.169.254"
IMDS_IPV6 = "fd00:ec2::254"
IMDS_ADDRESSES = (IMDS_IPV4, IMDS_IPV6)
IMDS_PORT = 80

# An EC2 instance: the short ids are of before 2016.
INSTANCE_ID = re.compile(r"i-[0-9a-f]{8}(?:[0-9a-f]{9})?", re.ASCII)

# As ``imds.provider`` in the log has them.
AWS = "aws"
AZURE = "azure"
DIGITALOCEAN = "digitalocean"
GCP = "gcp"
HETZNER = "hetzner"
IBM = "ibm"
LINODE = "linode"
OCI = "oci"
OPENSTACK = "openstack"
VULTR = "vultr"

_SCHEME_AND_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://[^/?#]*", re.ASCII)

# For a reader, in the reports.
OTHER_CLOUDS = {
    AZURE: "Azure",
    DIGITALOCEAN: "DigitalOcean",
    GCP: "Google Cloud",
    HETZNER: "Hetzner Cloud",
    IBM: "IBM Cloud",
    LINODE: "Linode",
    OCI: "Oracle Cloud",
    OPENSTACK: "OpenStack",
    VULTR: "Vultr",
}


def origin_form(target: str) -> str:
    """Return a request's target without scheme and host.

    A client names them where it asks a proxy, and some proxies send them on (RFC 9112, 3.2.2).
    """
    whole = None if target[:1] == "/" else _SCHEME_AND_AUTHORITY.match(target)
    return target if whole is None else target[whole.end() :]


def is_absolute(target: str) -> bool:
    """Tell whether a request's target names scheme and host."""
    return _SCHEME_AND_AUTHORITY.match(target) is not None
