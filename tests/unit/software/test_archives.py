"""Libraries in Java archives: merged, nested, compressed, and those that only look like one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from analyzer.software import jvm
from analyzer.software.found import Found, Library
from tests.unit.software.jars import Files, archive, core, library, pom
from tests.unit.software.roots import of_file

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
CORE = "com.amazonaws:aws-java-sdk-core"
SDK2 = "software.amazon.awssdk"
SDK2_JARS = {
    f"WEB-INF/lib/{artifact}-2.17.3.jar": library(SDK2, artifact, "2.17.3")
    for artifact in ("auth", "regions", "sdk-core", "imds", "aws-core")
}


def look(tmp_path: Path, data: bytes, name: str = "app.jar") -> list[Found]:
    (tmp_path / name).write_bytes(data)
    return of_file(jvm, tmp_path, f"/{name}")


def maven(name: str, version: str, path: str) -> Library:
    return Library("maven", name, version, path)


def test_a_librarys_own_archive_says_what_it_is(tmp_path: Path) -> None:
    """pom.properties wins over the file's name."""
    found = look(tmp_path, core("1.11.500"), "aws-java-sdk-core-1.0.jar")
    assert found == [maven(CORE, "1.11.500", "/aws-java-sdk-core-1.0.jar")]


def test_without_pom_properties_the_name_counts(tmp_path: Path) -> None:
    """Gradle writes none."""
    found = look(tmp_path, archive({"a/A.class": b""}), "hadoop-aws-3.3.1.jar")
    assert found == [maven("org.apache.hadoop:hadoop-aws", "3.3.1", "/hadoop-aws-3.3.1.jar")]


def test_a_fat_jar_is_looked_into(tmp_path: Path) -> None:
    """Spring Boot stores its libraries; others of no interest are left out."""
    files: Files = {
        "BOOT-INF/lib/aws-java-sdk-core-1.11.500.jar": core("1.11.500"),
        "BOOT-INF/lib/spring-core-5.3.1.jar": library("org.springframework", "spring-core", "5"),
        "BOOT-INF/lib/auth-2.17.3.jar": library(SDK2, "auth", "2.17.3"),
        "BOOT-INF/classes/com/example/A.class": b"",
    }
    assert look(tmp_path, archive(files, STORED)) == [
        maven(CORE, "1.11.500", "/app.jar!/BOOT-INF/lib/aws-java-sdk-core-1.11.500.jar"),
        maven(f"{SDK2}:auth", "2.17.3", "/app.jar!/BOOT-INF/lib/auth-2.17.3.jar"),
    ]


def test_a_renamed_and_a_merged_library_are_found_in_a_fat_jar(tmp_path: Path) -> None:
    """Their archives have a name of no interest."""
    shaded = archive(
        {**pom("com.example", "tools", "1"), **pom("com.amazonaws", "aws-java-sdk-core", "1.11.9")}
    )
    files = {"BOOT-INF/lib/tools-1.jar": shaded, "BOOT-INF/lib/sdk.jar": core("1.11.8")}
    assert set(look(tmp_path, archive(files, STORED))) == {
        maven(CORE, "1.11.9", "/app.jar!/BOOT-INF/lib/tools-1.jar"),
        maven(CORE, "1.11.8", "/app.jar!/BOOT-INF/lib/sdk.jar"),
    }


def test_a_compressed_library_counts_by_its_name(tmp_path: Path) -> None:
    """Maven's war plugin compresses; to inflate all of it would cost too much."""
    files = {"WEB-INF/lib/aws-java-sdk-core-1.11.500.jar": core("1.11.500"), **SDK2_JARS}
    place = "/app.war!/WEB-INF/lib"
    assert look(tmp_path, archive(files, DEFLATED), "app.war") == [
        maven(CORE, "1.11.500", f"{place}/aws-java-sdk-core-1.11.500.jar"),
        *(
            maven(f"{SDK2}:{name}", "2.17.3", f"{place}/{name}-2.17.3.jar")
            for name in ("imds", "auth", "regions", "sdk-core")
        ),
    ]


def test_a_common_name_alone_is_no_sdk(tmp_path: Path) -> None:
    """``auth-2.17.3.jar`` is the SDK's only beside other parts of that version."""
    jar = library("com.example", "auth", "2.17.3")
    files = {"WEB-INF/lib/auth-2.17.3.jar": jar, "WEB-INF/lib/sdk-core-2.1.0.jar": b""}
    for method in (STORED, DEFLATED):
        assert look(tmp_path, archive(files, method), "app.war") in (
            [],
            [maven(f"{SDK2}:sdk-core", "2.1.0", "/app.war!/WEB-INF/lib/sdk-core-2.1.0.jar")],
        )


def test_a_compressed_library_without_a_version_is_inflated(tmp_path: Path) -> None:
    """Some builds drop versions from names."""
    files = {"WEB-INF/lib/aws-java-sdk-core.jar": core("1.11.500")}
    assert look(tmp_path, archive(files, DEFLATED), "app.war") == [
        maven(CORE, "1.11.500", "/app.war!/WEB-INF/lib/aws-java-sdk-core.jar")
    ]


@pytest.mark.parametrize("inner", [STORED, DEFLATED])
@pytest.mark.parametrize("outer", [STORED, DEFLATED])
def test_a_war_in_an_ear_is_looked_into(tmp_path: Path, outer: int, inner: int) -> None:
    """Whether one or the other is compressed."""
    war = archive({"WEB-INF/lib/aws-java-sdk-core-1.11.500.jar": core("1.11.500")}, inner)
    ear = archive({"META-INF/application.xml": "<x/>", "shop.war": war}, outer)
    place = "/app.ear!/shop.war!/WEB-INF/lib/aws-java-sdk-core-1.11.500.jar"
    assert look(tmp_path, ear, "app.ear") == [maven(CORE, "1.11.500", place)]


def test_merged_files_are_known_without_a_pom(tmp_path: Path) -> None:
    """The SDK has its version in files of its own, which a relocation keeps."""
    version = b"\xca\xfe\xba\xbe\x01\x00\x062.20.1\x0c\x00\x05"
    files: Files = {
        "shaded/com/amazonaws/sdk/versionInfo.properties": "platform=java\nversion=1.11.77\n",
        "software/amazon/awssdk/core/util/VersionInfo.class": version,
    }
    assert set(look(tmp_path, archive(files))) == {
        maven(CORE, "1.11.77", "/app.jar"),
        maven(f"{SDK2}:sdk-core", "2.20.1", "/app.jar"),
    }


def test_a_bundle_gives_its_core_first_and_not_all_its_services(tmp_path: Path) -> None:
    """Its 300 services are of the same version."""
    files: dict[str, str] = {}
    for number in range(90):
        files.update(pom("com.amazonaws", f"aws-java-sdk-a{number:02}", "1.11.901"))
    files.update(pom("com.amazonaws", "aws-java-sdk-core", "1.11.901"))
    found = look(tmp_path, archive(files))
    assert found[0] == maven(CORE, "1.11.901", "/app.jar")
    assert len(found) == 16


def test_archives_in_archives_end(tmp_path: Path) -> None:
    """A hostile archive may hold itself; four levels are looked at."""
    data = core("1.11.1")
    for _ in range(8):
        data = archive({"x.jar": data}, STORED)
    assert look(tmp_path, data) == []
    for depth in range(4):
        data = core("1.11.1")
        for _ in range(depth):
            data = archive({"x.jar": data}, STORED)
        assert look(tmp_path, data) == [maven(CORE, "1.11.1", "/app.jar" + "!/x.jar" * depth)]


def test_what_is_no_archive_says_nothing(tmp_path: Path) -> None:
    """Nor is it an error."""
    assert look(tmp_path, b"not an archive") == []
    assert look(tmp_path, b"") == []


def test_wanted_files_are_archives() -> None:
    """By their names alone."""
    assert jvm.is_wanted("/srv/App.JAR")
    assert jvm.is_wanted("/srv/shop.war")
    assert not jvm.is_wanted("/srv/jar")
