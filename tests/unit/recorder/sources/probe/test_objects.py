"""The probe's files are found beside the package or in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.recorder.sources.probe import objects

CHECKOUT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize("name", ["imds.bcc.c", "imds_event.h"])
def test_files_of_a_checkout_are_those_beside_the_package(name: str) -> None:
    assert objects.bpf_file(name) == CHECKOUT / "bpf" / name


def test_an_installed_package_has_its_own_files_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("inside", "beside"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "imds.bcc.c").touch()
    monkeypatch.setattr(objects, "PLACES", (tmp_path / "inside", tmp_path / "beside"))
    assert objects.bpf_file("imds.bcc.c") == tmp_path / "inside" / "imds.bcc.c"


def test_a_file_that_is_nowhere_is_none() -> None:
    assert objects.bpf_file("build/no-such-object.bpf.o") is None
