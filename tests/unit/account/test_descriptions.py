"""Descriptions that msgspec reads are those that botocore reads itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from analyzer.account.descriptions import quick

loaders = pytest.importorskip("botocore.loaders")
exceptions = pytest.importorskip("botocore.exceptions")


@pytest.mark.parametrize(
    ("service", "kind"), [("sts", "service-2"), ("sts", "paginators-1"), ("s3", "service-2")]
)
def test_descriptions_are_those_that_botocore_reads(service: str, kind: str) -> None:
    """Those of S3 have an addition in a file of its own."""
    found = quick(loaders.Loader()).load_service_model(service, kind)
    assert found == loaders.Loader().load_service_model(service, kind)
    assert found


def test_a_file_is_read_once() -> None:
    loader = quick(loaders.Loader())
    assert loader.load_data("partitions") is loader.load_data("partitions")


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
def test_descriptions_of_the_users_own_are_read(ending: str, tmp_path: Path) -> None:
    raw = json.dumps({"metadata": {"name": "größer"}}).encode()
    file = tmp_path / "own" / "2026-01-01" / f"service-2{ending}"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(raw) if ending == ".json.gz" else raw)
    loader = quick(loaders.create_loader(str(tmp_path)))
    assert "own" in loader.list_available_services("service-2")
    assert loader.load_service_model("own", "service-2") == json.loads(raw)


def test_what_is_not_there_is_botocores_error() -> None:
    loader = quick(loaders.Loader())
    with pytest.raises(exceptions.DataNotFoundError, match="nowhere"):
        loader.load_data("nowhere")
