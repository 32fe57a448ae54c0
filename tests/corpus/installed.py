"""Makes the metadata of installed packages: libraries, jars, gems, Go programs and databases.

``CALLS`` are of versions that call IMDSv1, by the sources in ``clients.toml``; ``MENTIONS`` are
newer, removed, or only wished for.
"""

from __future__ import annotations

import gzip
import json

from tests.corpus.entries import FOLDER, Entry
from tests.unit.software.elf_files import Kind
from tests.unit.software.go_programs import MODULES
from tests.unit.software.go_programs import program as go_program
from tests.unit.software.jars import archive, library, pom

_LAYER = "/var/lib/docker/overlay2/{}/diff"
_SITE = "/srv/{}/venv/lib/python3.9/site-packages"
_RPM = gzip.decompress(
    (FOLDER.parent / "unit" / "software" / "managers" / "rpmdb.sqlite.gz").read_bytes()
)
_AWS = "com.amazonaws"
_X86_64 = Kind(64, "<")


def _entry(path: str, content: bytes | str, why: str, *, is_v1: bool) -> Entry:
    raw = content.encode() if isinstance(content, str) else content
    return Entry(path, is_v1, why, raw)


def _call(path: str, content: bytes | str, why: str) -> Entry:
    return _entry(path, content, why, is_v1=True)


def _mention(path: str, content: bytes | str, why: str) -> Entry:
    return _entry(path, content, why, is_v1=False)


def _python(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: A package\n"


def _dist(app: str, name: str, version: str) -> tuple[str, str]:
    folder = f"{_SITE.format(app)}/{name}-{version}.dist-info"
    return f"{folder}/METADATA", _python(name, version)


def _node(app: str, name: str, version: str) -> tuple[str, str]:
    manifest = json.dumps({"name": name, "version": version, "main": "lib/aws.js"})
    return f"/srv/{app}/node_modules/{name}/package.json", manifest


def _gem(name: str, version: str) -> tuple[str, str]:
    path = f"/var/lib/gems/2.7.0/specifications/{name}-{version}.gemspec"
    return path, (
        "# -*- encoding: utf-8 -*-\nGem::Specification.new do |s|\n"
        f'  s.name = "{name}".freeze\n  s.version = "{version}"\nend\n'
    )


def _composer(version: str) -> str:
    return json.dumps({"packages": [{"name": "aws/aws-sdk-php", "version": version}]})


def _deps(version: str) -> str:
    name = f"AWSSDK.Core/{version}"
    return json.dumps(
        {
            "runtimeTarget": {"name": ".NETCoreApp,Version=v6.0"},
            "targets": {".NETCoreApp,Version=v6.0": {name: {}}},
            "libraries": {name: {"type": "package", "serviceable": True}},
        }
    )


def _dpkg(name: str, version: str, status: str = "install ok installed") -> str:
    other = "Package: tar\nStatus: install ok installed\nVersion: 1.34+dfsg-1\n\n"
    return other + f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n"


def _apk(name: str, version: str) -> str:
    return (
        f"C:Q1abc=\nP:musl\nV:1.2.3-r4\nA:x86_64\n\nC:Q1def=\nP:{name}\nV:{version}\nA:x86_64\n\n"
    )


CALLS = (
    _call(*_dist("batch", "botocore", "1.12.253"), "botocore before 1.13.25"),
    _call(*_dist("tagger", "ec2_metadata", "1.8.0"), "ec2-metadata before 2.2.0"),
    _call(
        "/usr/lib/python2.7/dist-packages/boto-2.49.0.egg-info/PKG-INFO",
        _python("boto", "2.49.0"),
        "boto 2 never learnt IMDSv2",
    ),
    _call(*_node("api", "aws-sdk", "2.500.0"), "the SDK for JavaScript before 2.575.0"),
    _call(
        "/srv/jobs/node_modules/.pnpm/aws-sdk@2.610.0/node_modules/aws-sdk/package.json",
        '{"name": "aws-sdk", "version": "2.610.0"}',
        "the same, in pnpm's layout",
    ),
    _call(
        "/opt/java/lib/aws-java-sdk-core-1.11.500.jar",
        library(_AWS, "aws-java-sdk-core", "1.11.500"),
        "the SDK for Java before 1.11.678",
    ),
    _call(
        "/srv/shop/shop.jar",
        archive(
            {
                "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\r\n\r\n",
                "BOOT-INF/lib/aws-java-sdk-core-1.11.301.jar": library(
                    _AWS, "aws-java-sdk-core", "1.11.301"
                ),
            }
        ),
        "a fat jar with an old SDK in it",
    ),
    _call(
        "/srv/etl/etl-all.jar",
        archive(
            {"etl/Main.class": b"\xca\xfe\xba\xbe", **pom(_AWS, "aws-java-sdk-core", "1.11.1")}
        ),
        "a shaded jar: only pom.properties tells the old SDK",
    ),
    _call(
        "/srv/tomcat/webapps/site.war",
        archive({"WEB-INF/lib/auth-2.5.0.jar": library("software.amazon.awssdk", "auth", "2.5.0")}),
        "a war with SDK 2.5.0",
    ),
    _call(
        "/opt/hadoop/share/hadoop/tools/lib/aws-java-sdk-bundle-1.11.375.jar",
        archive({"com/amazonaws/A.class": b"\xca\xfe\xba\xbe"}),
        "Hadoop's bundle: only the file's name tells the version",
    ),
    _call(*_gem("aws-sdk-core", "3.46.0"), "the SDK for Ruby before 3.79.0"),
    _call(
        "/srv/legacy/composer.lock",
        _composer("3.100.0"),
        "the SDK for PHP before 3.119.0",
    ),
    _call("/srv/net/Site.deps.json", _deps("3.3.100.1"), "the SDK for .NET before 3.3.103.66"),
    _call(
        "/usr/local/bin/uploader",
        go_program(_X86_64, MODULES.replace("v1.44.133", "v1.19.0")),
        "a Go program with aws-sdk-go before 1.25.38",
    ),
    _call(
        _LAYER.format("d01") + "/var/lib/dpkg/status",
        _dpkg("cloud-init", "18.3-9-g2e62cb8a-0ubuntu1"),
        "cloud-init before 19.4, of dpkg",
    ),
    _call(
        _LAYER.format("a01") + "/lib/apk/db/installed",
        _apk("telegraf", "1.14.0-r1"),
        "telegraf before 1.15.0, of apk",
    ),
    _call(
        _LAYER.format("f01") + "/var/lib/rpm/rpmdb.sqlite",
        # Names of the same length, so that the headers stay as rpm wrote them.
        _RPM.replace(b"other-tool", b"cloud-init"),
        "cloud-init 0.9, of rpm",
    ),
)
MENTIONS = (
    _mention(*_dist("new", "botocore", "1.34.2"), "botocore with IMDSv2"),
    _mention(*_dist("newer", "ec2_metadata", "2.13.0"), "ec2-metadata with IMDSv2"),
    _mention(
        "/srv/new/requirements.txt",
        "botocore==1.12.253\nboto==2.49.0\n",
        "wishes, not what is installed",
    ),
    _mention(*_node("front", "aws-sdk", "2.1500.0"), "the SDK for JavaScript with IMDSv2"),
    _mention(
        "/srv/front/package.json",
        '{"name": "front", "version": "1.0.0", "dependencies": {"aws-sdk": "^2.500.0"}}',
        "a range that newer versions fit; what is installed counts",
    ),
    _mention(
        "/opt/java/lib/aws-java-sdk-core-1.12.600.jar",
        library(_AWS, "aws-java-sdk-core", "1.12.600"),
        "the SDK for Java with IMDSv2",
    ),
    _mention(
        "/opt/java/lib/aws-java-sdk-sqs-1.11.500.jar",
        library(_AWS, "aws-java-sdk-sqs", "1.11.500"),
        "a part of the old SDK that does not call IMDS itself",
    ),
    _mention(
        "/srv/shop/new.jar",
        archive(
            {
                "BOOT-INF/lib/aws-java-sdk-core-1.12.1.jar": library(
                    _AWS, "aws-java-sdk-core", "1.12.1"
                ),
            }
        ),
        "a fat jar with a new SDK",
    ),
    _mention(
        "/srv/shop/pom.xml",
        f"<project><dependency><groupId>{_AWS}</groupId><artifactId>aws-java-sdk-core</artifactId>"
        "<version>1.11.500</version></dependency></project>\n",
        "what a build asks for, not what is installed",
    ),
    _mention(*_gem("aws-sdk-core", "3.190.0"), "the SDK for Ruby with IMDSv2"),
    _mention(*_gem("aws-sdk-s3", "1.30.0"), "a part of the SDK that does not call IMDS itself"),
    _mention("/srv/modern/composer.lock", _composer("3.300.0"), "the SDK for PHP with IMDSv2"),
    _mention("/srv/net6/Site.deps.json", _deps("3.7.300.1"), "the SDK for .NET with IMDSv2"),
    _mention(
        "/usr/local/bin/downloader",
        go_program(
            _X86_64,
            "path\texample.com/get\nmod\texample.com/get\tv1.0.0\th1:abc=\n"
            "dep\tgithub.com/aws/aws-sdk-go\tv1.50.0\th1:abc=\n",
        ),
        "a Go program with aws-sdk-go after 1.25.38",
    ),
    _mention(
        _LAYER.format("d02") + "/var/lib/dpkg/status",
        _dpkg("cloud-init", "18.3-9", "deinstall ok config-files"),
        "removed: only its settings are left",
    ),
    _mention(
        _LAYER.format("a02") + "/lib/apk/db/installed",
        _apk("telegraf", "1.29.0-r1"),
        "telegraf with IMDSv2, of apk",
    ),
    _mention(
        _LAYER.format("f02") + "/var/lib/rpm/rpmdb.sqlite",
        _RPM.replace(b"ops-facts", b"terraform"),
        "terraform 1.4.2, of rpm",
    ),
)
