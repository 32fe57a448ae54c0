"""Tells at a glance whether a file may have lines of interest.

Nearly no file has. A text is searched in bytes much quicker than a pattern, so each search but the
last ones is for a text that decides for several signs.
"""

from __future__ import annotations

import re

from analyzer.software.script_encoded import SIGNS as ENCODED_SIGNS

_PLAIN = (
    b"instance-data", b"2852039166", b"get_instance_", b"MetadataService", b"0251.0376.",
    b"0xa9.0xfe.", b"a9fe:a9fe", b"0xa9fea9fe", b"0xA9FEA9FE",
)  # fmt: skip
# Texts that have the one have one of the others, as a rule not.
_BEHIND = {
    b"254": (b"169.254.169.254", b"fd00:ec2::254", b"FD00:EC2::254"),
    b"ec2": (b"ec2metadata", b"ec2-metadata"),
    b"latest/": (b"latest/meta-data", b"latest/dynamic", b"latest/user-data"),
}
# The address in parts: numbers, or texts that are joined.
_PARTS = re.compile(rb"169[\"'\s.,+&<>~]{1,9}254[\"'\s.,+&<>~]{1,9}169[\"'\s.,+&<>~]{1,9}254")


def may_name_imds(raw: bytes) -> bool:
    """Tell whether a file may have the address, in any spelling, or a program that asks it."""
    for sign, others in _BEHIND.items():
        if sign in raw and any(other in raw for other in others):
            return True
    if any(sign in raw for sign in _PLAIN):
        return True
    return b"254" in raw and _PARTS.search(raw) is not None


def may_hide_imds(raw: bytes) -> bool:
    """Tell whether a file may have the address within base64."""
    return any(sign in raw for sign in ENCODED_SIGNS)
