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
