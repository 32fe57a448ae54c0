"""Reads what Maven and the JVM write about a library: file names, pom.properties, manifests."""

from __future__ import annotations

import re
from typing import NamedTuple

from analyzer.software.interesting import MAVEN_GROUPS, SDK2_ARTIFACTS, maybe_rank

# A longer one is nobody's name or version.
_WORD = r"[\w][\w.+~-]{0,127}"
_COORDINATE = re.compile(_WORD, re.ASCII)
_FILE = re.compile(
    r"(?P<artifact>[A-Za-z][\w.]*(?:-[A-Za-z_][\w.]*)*)"
    r"(?:-(?P<version>\d[\w.+~]*(?:-[\w.+~]+)*))?\.[jw]ar",
    re.ASCII,
)
# What stands behind a version and does not belong to it.
_CLASSIFIERS = re.compile(r"(?:-(?:shaded|all|tests|sources|javadoc|jar-with-dependencies))+$")
_POM = re.compile(rf"META-INF/maven/(?P<group>{_WORD})/(?P<artifact>{_WORD})/pom\.properties")
_VERSION_2 = re.compile(rb"\x01\x00(.)(2\.\d{1,4}\.\d{1,4}(?:-[A-Za-z0-9.-]{1,20})?)", re.DOTALL)
_GROUP_2 = "software.amazon.awssdk"


class Coordinates(NamedTuple):
    """Group, artifact and version; each is "" if unknown."""

    group: str
    artifact: str
    version: str

    @property
    def name(self) -> str:
        """Return group and artifact as Maven writes them."""
        return f"{self.group}:{self.artifact}" if self.group else self.artifact


def of_file_name(name: str) -> Coordinates:
    """Return what the name of an archive says, such as ``aws-java-sdk-core-1.11.500.jar``.

    The group is that of the only library that has this artifact.
    """
    match = _FILE.fullmatch(name.rpartition("/")[2])
    if match is None:
        return Coordinates("", "", "")
    artifact = match["artifact"]
    group = next((group for each, group in MAVEN_GROUPS if maybe_rank(artifact, (each,)) == 0), "")
    return Coordinates(group, artifact, _CLASSIFIERS.sub("", match["version"] or ""))


def may_be_sdk2(coordinates: Coordinates) -> bool:
    """Tell whether an archive's name can be that of a part of version 2 of the AWS SDK."""
    return coordinates.artifact in SDK2_ARTIFACTS and coordinates.version.startswith("2.")


def as_sdk2(coordinates: Coordinates) -> Coordinates:
    """Return a part of version 2 of the AWS SDK with its group."""
    return coordinates._replace(group=_GROUP_2)


def of_pom_name(entry: str) -> Coordinates:
    """Return what the place of a pom.properties says; it has no version."""
    match = _POM.fullmatch(entry)
    return Coordinates(match["group"], match["artifact"], "") if match else Coordinates("", "", "")


def of_pom(entry: str, data: bytes) -> Coordinates:
    """Return what a pom.properties says, and its place where it says nothing."""
    said = properties(data)
    place = of_pom_name(entry)
    return Coordinates(
        said.get("groupId", place.group),
        said.get("artifactId", place.artifact),
        said.get("version", ""),
    )


def properties(data: bytes) -> dict[str, str]:
    """Return the values that can be a name or a version, of a Java properties file."""
    found: dict[str, str] = {}
    for line in data.decode("latin-1").splitlines():
        key, _, value = line.partition("=")
        if _COORDINATE.fullmatch(value.strip()):
            found.setdefault(key.strip(), value.strip())
    return found


def sdk2_version(class_file: bytes) -> str:
    """Return the version that the SDK's class VersionInfo has as a constant, "" for none.

    Constants of text are a 1, a length of 16 bits and the text (JVM specification, 4.4.7).
    """
    for match in _VERSION_2.finditer(class_file):
        length, text = match[1][0], match[2]
        if length <= len(text):
            return text[:length].decode("ascii")
    return ""


def class_path(manifest: bytes) -> list[str]:
    """Return the URLs of a manifest's main section, whose lines go on after a line break."""
    lines = manifest.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    main = lines.partition(b"\n\n")[0].replace(b"\n ", b"")
    for line in main.split(b"\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"class-path":
            return value.decode(errors="surrogateescape").split()
    return []
