"""Archives that a Java command line names, in the words of the ``java`` manual page."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import classpath
from tests.unit.software.roots import open_root


def archives(root: Path, *args: str, cwd: str = "/srv") -> list[str]:
    with open_root(root) as opened:
        return list(classpath.archives(opened, args, cwd))


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for name in ("srv/lib/a.jar", "srv/lib/b.JAR", "srv/lib/c.txt", "srv/app.jar"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["-jar", "app.jar", "-jar", "other.jar"], ["/srv/app.jar"]),
        (["-Xmx1g", "-jar", "/opt/../srv/app.jar"], ["/srv/app.jar"]),
        (["-cp", "lib/*:/x/y.jar", "M"], ["/srv/lib/a.jar", "/srv/lib/b.JAR", "/x/y.jar"]),
        (["-classpath", "x.jar", "M", "-cp", "no.jar"], ["/srv/x.jar"]),
        (["--class-path=x.jar", "M"], ["/srv/x.jar"]),
        (["--module-path", "m.jar", "-m", "mod/M"], ["/srv/m.jar"]),
        (["-p", "m.jar", "--add-modules", "x.jar", "M"], ["/srv/m.jar"]),
        (["-javaagent:/opt/n.jar=a=b", "-jar", "app.jar"], ["/opt/n.jar", "/srv/app.jar"]),
        (["-Djava.class.path=x.jar", "M"], ["/srv/x.jar"]),
        (["-cp"], []),
        (["M", "x.jar"], []),
        ([], []),
    ],
)  # fmt: skip
def test_options_name_archives(host: Path, args: list[str], found: list[str]) -> None:
    """Up to the main class; what follows is the program's own."""
    assert archives(host, *args) == found


def test_an_argument_file_is_read(host: Path) -> None:
    """With quotes, comments and lines that go on; a missing one hides nothing else."""
    (host / "srv/args").write_text(
        '# -cp no.jar\n-cp "my lib/x.jar:y.jar:\\\n   z.jar"\n  M -jar no.jar\n'
    )
    assert archives(host, "@args") == ["/srv/my lib/x.jar", "/srv/y.jar", "/srv/z.jar"]
    assert archives(host, "@none", "-jar", "app.jar") == ["/srv/app.jar"]


def test_unpacked_archives_and_servers_are_looked_through(host: Path) -> None:
    """The libraries lie in the folders that they have in the archive."""
    for name in (
        "srv/unpacked/BOOT-INF/lib/q.jar",
        "opt/tomcat/lib/catalina.jar",
        "opt/tomcat/webapps/shop/WEB-INF/lib/s.jar",
        "opt/tomcat/webapps/packed.war",
    ):
        path = host / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert archives(host, "-cp", "unpacked", "M") == ["/srv/unpacked/BOOT-INF/lib/q.jar"]
    assert archives(host, "M", cwd="/srv/unpacked") == ["/srv/unpacked/BOOT-INF/lib/q.jar"]
    bootstrap = ["-Dcatalina.base=/opt/tomcat", "-cp", "bin/bootstrap.jar", "Bootstrap", "start"]
    assert archives(host, *bootstrap) == [
        "/srv/bin/bootstrap.jar",
        "/opt/tomcat/webapps/packed.war",
        "/opt/tomcat/webapps/shop/WEB-INF/lib/s.jar",
        "/opt/tomcat/lib/catalina.jar",
    ]


def test_urls_of_a_manifest_are_relative_to_its_archive() -> None:
    """Other hosts' are left out."""
    urls = ["lib/a%20b.jar", "file:/opt/c.jar", "../d.jar", "http://x/e.jar", "f%00.jar"]
    assert list(classpath.of_manifest(urls, "/srv/app/app.jar")) == [
        "/srv/app/lib/a b.jar",
        "/opt/c.jar",
        "/srv/d.jar",
    ]
