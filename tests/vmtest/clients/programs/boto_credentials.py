"""Have boto 2 look for credentials; it asks IMDS when it finds none nearer."""

import os

import boto  # type: ignore[import-not-found]
from boto.provider import Provider  # type: ignore[import-not-found]

if not boto.config.has_section("Boto"):
    boto.config.add_section("Boto")
boto.config.set("Boto", "metadata_service_timeout", os.environ["IMDS_TIMEOUT_S"])
print("found:", Provider("aws").access_key)
