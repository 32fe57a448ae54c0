"""Crawl IMDS the way cloud-init does when an EC2 instance boots; nothing is written or applied."""

import os
import tempfile

from cloudinit.helpers import Paths  # type: ignore[import-not-found]
from cloudinit.sources.DataSourceEc2 import (  # type: ignore[import-not-found]
    CloudNames,
    DataSourceEc2,
)

timeout_s = int(os.environ["IMDS_TIMEOUT_S"])
settings = {"datasource": {"Ec2": {"timeout": timeout_s, "max_wait": timeout_s}}}
with tempfile.TemporaryDirectory() as directory:
    source = DataSourceEc2(settings, None, Paths({"cloud_dir": directory, "run_dir": directory}))
    # On an instance this is read from the firmware's tables; this machine's do not say EC2.
    source._cloud_name = CloudNames.AWS
    print("found:", source._get_data())
