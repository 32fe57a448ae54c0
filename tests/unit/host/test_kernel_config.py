"""The kernel's configuration as it was built."""

from __future__ import annotations

import gzip
from pathlib import Path

from analyzer.host import kernel_config

TEXT = "#\n# Automatically generated\nCONFIG_BPF=y\n# CONFIG_KPROBES is not set\nCONFIG_HZ=250\n"


def test_an_option_that_is_not_set_is_not_in_the_configuration() -> None:
    """A .config says so in a comment."""
    assert kernel_config.parse(TEXT) == {"CONFIG_BPF": "y", "CONFIG_HZ": "250"}


def test_the_first_that_can_be_read_is_believed(tmp_path: Path) -> None:
    """Packed or not; a file that is cut is none."""
    packed, cut, plain = tmp_path / "config.gz", tmp_path / "cut.gz", tmp_path / "config"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    cut.write_bytes(packed.read_bytes()[:-9])
    plain.write_text("CONFIG_BPF=n\n")
    assert kernel_config.text([tmp_path / "none", packed, plain]) == (str(packed), TEXT)
    assert kernel_config.text([cut, plain]) == (str(plain), "CONFIG_BPF=n\n")
    assert kernel_config.text([]) == ("", "")
