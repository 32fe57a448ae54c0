"""Java libraries of a process, running or gone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from analyzer.software import jvm
from analyzer.software.found import Found, Library
from tests.unit.software.jars import Files, archive, core, library, write
from tests.unit.software.roots import of_process

JAVA = "/usr/bin/java"
CORE = "com.amazonaws:aws-java-sdk-core"


def maven(name: str, version: str, path: str) -> Library:
    return Library("maven", name, version, path)


def test_the_class_path_of_a_process_that_is_gone(tmp_path: Path) -> None:
    """Its command line is all there is; archives that are not there hide nothing."""
    write(tmp_path / "srv/lib/aws-java-sdk-core-1.11.1.jar", core("1.11.1"))
    write(tmp_path / "srv/lib/broken.jar", b"PK")
    args = ("java", "-cp", "none.jar:lib/*", "com.example.Main")
    assert of_process(jvm, tmp_path, JAVA, args=args, cwd="/srv") == [
        maven(CORE, "1.11.1", "/srv/lib/aws-java-sdk-core-1.11.1.jar")
    ]


def test_the_class_path_of_a_manifest_is_followed(tmp_path: Path) -> None:
    """Such as that of a launcher's archive."""
    manifest = "Manifest-Version: 1.0\nClass-Path: lib/sdk.jar notes.txt\n\n"
    write(tmp_path / "srv/app.jar", archive({"META-INF/MANIFEST.MF": manifest}))
    write(tmp_path / "srv/lib/sdk.jar", core("1.11.2"))
    args = ("java", "-jar", "/srv/app.jar")
    assert of_process(jvm, tmp_path, JAVA, args=args) == [maven(CORE, "1.11.2", "/srv/lib/sdk.jar")]


def test_open_archives_count_for_any_program(tmp_path: Path) -> None:
    """A launcher of its own, or Python with a JVM inside; named twice, found once."""
    write(tmp_path / "opt/app/sdk.jar", core("1.11.3"))
    files = ("/opt/app/sdk.jar", "/opt/app/sdk.jar", "/usr/lib/libc.so.6")
    found = of_process(jvm, tmp_path, "/opt/app/bin/app", open_files=files)
    assert found == [maven(CORE, "1.11.3", "/opt/app/sdk.jar")]
    assert of_process(jvm, tmp_path, "/usr/bin/ls", args=("ls", "-jar", "/opt/app/sdk.jar")) == []


def test_the_calling_library_comes_first(tmp_path: Path) -> None:
    """Whatever the order of the class path, since the list is bounded."""
    for name in ("a1", "a2", "z"):
        write(tmp_path / f"l/{name}.jar", library("com.amazonaws", f"aws-java-sdk-{name}", "1.1"))
    write(tmp_path / "l/aws-java-sdk-core-1.1.jar", core("1.1"))
    found = of_process(jvm, tmp_path, JAVA, args=("java", "-cp", "/l/*", "M"))
    assert found[0] == maven(CORE, "1.1", "/l/aws-java-sdk-core-1.1.jar")
    assert len(found) == 4


def test_at_most_64_libraries_are_named(tmp_path: Path) -> None:
    """More would fill the log."""
    for number in range(80):
        name = f"aws-java-sdk-s{number}"
        write(tmp_path / f"l/{name}-1.jar", library("com.amazonaws", name, "1"))
    assert len(of_process(jvm, tmp_path, JAVA, args=("java", "-cp", "/l/*", "M"))) == 64


SOURCE = """
public class Wait {
    public static void main(String[] args) throws Exception {
        Class.forName("a.A");
        System.out.println("ready");
        System.in.read();
    }
}
"""


def test_a_running_jvm_and_an_archive_that_was_replaced(tmp_path: Path) -> None:
    """What runs is what it has open, not what lies there since the last deployment."""
    if shutil.which("javac") is None:
        pytest.skip("needs a Java compiler (Debian: openjdk-17-jdk-headless)")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/A.java").write_text("package a; public class A {}")
    (tmp_path / "Wait.java").write_text(SOURCE)
    subprocess.run(["javac", "a/A.java", "Wait.java"], cwd=tmp_path, check=True)
    jar = tmp_path / "sdk.jar"
    pom = "META-INF/maven/com.amazonaws/aws-java-sdk-core/pom.properties"
    made: Files = {"a/A.class": (tmp_path / "a/A.class").read_bytes(), pom: "version=1.11.4\n"}
    jar.write_bytes(archive(made))
    (tmp_path / "a/A.class").unlink()
    args = ("java", "-Xshare:auto", "-Xmx32m", "-cp", "sdk.jar:.", "Wait")
    pipe = subprocess.PIPE
    with subprocess.Popen(args, cwd=tmp_path, stdin=pipe, stdout=pipe) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            running = Path(f"/proc/{process.pid}")

            def look() -> list[Found]:
                return of_process(
                    jvm,
                    Path("/"),
                    str((running / "exe").readlink()),
                    args=args,
                    pid=process.pid,
                    cwd=str(tmp_path),
                    open_files=tuple(str(fd.readlink()) for fd in (running / "fd").iterdir()),
                )

            assert look() == [maven(CORE, "1.11.4", str(jar))]
            (tmp_path / "new.jar").write_bytes(core("1.12.700"))
            (tmp_path / "new.jar").replace(jar)
            assert look() == [maven(CORE, "1.11.4", str(jar))]
        finally:
            process.kill()
