"""Imports the AWS CLI, and lets all of its sessions read AWS's descriptions of its APIs once.

For a process of its own: the CLI brings a botocore, which is then the process's.
"""

from __future__ import annotations

import os
from typing import Any, Optional

import awscli.clidriver
import botocore.session

from analyzer.account.descriptions import quick

assert awscli.clidriver.botocore is botocore
# The CLI sets the variable when it is imported, for what it adds to them.
_LOADER = quick(botocore.session.create_loader(os.environ["AWS_DATA_PATH"]))


def _loader(_path: Optional[str] = None) -> Any:
    return _LOADER


botocore.session.create_loader = _loader
