"""A tree that somebody made to harm its reader costs a bounded time, and no error of another kind.

Each finder meets each tree: as a process that runs there, and for each file that it wants.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analyzer.software import node, perl, php, python, ruby
from analyzer.software.budget import Budget, Spent
from analyzer.software.finders import Finder
from analyzer.software.found import Found, Library
from analyzer.software.root import Root
from analyzer.software.subject import Subject

SITE = "srv/app/venv/lib/python3.11/site-packages"
# As the recorder's; of the time, what a test machine that is busy needs.
BYTES_MAX, FILES_MAX, CPU_S = 10 << 20, 4000, 2.0
FINDERS: tuple[tuple[Finder, str, str], ...] = (
    (python, "/srv/app/venv/bin/python3.11", "/srv/app/main.py"),
    (node, "/usr/bin/node", "/srv/app/main.js"),
    (ruby, "/usr/bin/ruby2.7", "/srv/app/main.rb"),
    (php, "/usr/bin/php8.2", "/srv/app/main.php"),
    (perl, "/usr/bin/perl", "/srv/app/main.pl"),
)
VERSION_MAX = 64
# Files that finders read whatever they hold.
PLACES = (
    "srv/app/venv/pyvenv.cfg",
    f"{SITE}/boto3-1.2.dist-info/METADATA",
    f"{SITE}/boto-1.2.egg-info/requires.txt",
    f"{SITE}/boto.egg-info/PKG-INFO",
    f"{SITE}/links.pth",
    f"{SITE}/botocore/__init__.py",
    "srv/app/main.py",
    "srv/app/app.pyz",
    "srv/app/main.js",
    "srv/app/dist/main.js",
    "srv/app/package.json",
    "srv/app/.pnp.cjs",
    "srv/app/node_modules/.package-lock.json",
    "srv/app/node_modules/aws-sdk/package.json",
    "srv/app/main.rb",
    "srv/app/Gemfile.lock",
    "var/lib/gems/2.7.0/specifications/aws-sdk-core-3.1.0.gemspec",
    "srv/app/main.php",
    "srv/app/app.phar",
    "srv/app/composer.lock",
    "srv/app/vendor/composer/installed.json",
    "srv/app/vendor/composer/installed.php",
    "srv/app/main.pl",
    "usr/share/perl5/VM/EC2.pm",
)


def _texts(root: Path, text: bytes) -> None:
    for place in PLACES:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(text)


def _circles(root: Path) -> None:
    for place in PLACES:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).symlink_to(Path(place).name)
    for place in ("srv/app/node_modules/a/node_modules", f"{SITE}/deep.egg", "srv/app/vendor/x"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).symlink_to("..")


def _folders_and_fifos(root: Path) -> None:
    for number, place in enumerate(PLACES):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            (root / place).mkdir()
        else:
            os.mkfifo(root / place)


def _huge(root: Path) -> None:
    _texts(root, b"")
    for place in PLACES:
        os.truncate(root / place, 1 << 40)


def _deep(root: Path) -> None:
    _texts(root, b"{}")
    path = root / "srv/app/node_modules"
    for _ in range(100):
        path /= "a/node_modules"
    path.mkdir(parents=True)


def _names(root: Path) -> None:
    _texts(root, b"{}")
    for folder in (SITE, "srv/app/node_modules", "var/lib/gems/2.7.0/specifications"):
        below = os.fsencode(root / folder)
        for name in (b"\xff\xfe", b"boto3-\xff.dist-info", b"a\nb", b"-1.0.dist-info", b"@\xff"):
            Path(os.fsdecode(below + b"/" + name + b"/" + name)).mkdir(parents=True)
        for name in (b"\xff-1.0.gemspec", b"x.pth\xff", b"a" * 255, b"1-1-1-1-1-1-1-1-1.gemspec"):
            Path(os.fsdecode(below + b"/" + name)).touch()


def _many(root: Path) -> None:
    for number in range(3000):
        for name in (
            f"{SITE}/a{number}-1.0.dist-info",
            f"srv/app/node_modules/a{number}/node_modules",
        ):
            (root / name).mkdir(parents=True)
    (root / f"{SITE}/boto-1.0.dist-info").mkdir()


def _text(raw: bytes) -> Callable[[Path], None]:
    return lambda root: _texts(root, raw)


TREES: dict[str, Callable[[Path], None]] = {
    "circles": _circles,
    "folders and FIFOs": _folders_and_fifos,
    "huge": _huge,
    "deep": _deep,
    "names": _names,
    "many": _many,
    "zeros": _text(bytes(300000)),
    "binary": _text(bytes(range(256)) * 4000),
    "brackets": _text(b"[" * 1000000),
    "objects": _text(b'{"a":' * 25000),
    "surrogates": _text(b'{"name": "\\ud800", "version": "\\ud800", "main": "\\ud800/\\u0000"}'),
    "types": _text(b'{"packages": {"a": 1}, "name": [], "version": {}, "dependencies": [1]}'),
    "list": _text(b'[1, null, {"name": 1}, {"name": "a", "version": null, "require": 3}, []]'),
    "numbers": _text(b'{"packages": [%s]}' % (b"9" * 100000)),
    "paths": _text(b"../../../../etc\n/proc/self/fd\n" * 3000 + b"\0\n"),
    "requirements": _text(b"Requires-Dist: boto (<2)\nRequires-Dist: \xff\xff\n" * 20000),
    "versions": _text(b"VERSION: VERSION:'2.1.1.1.1 aws-sdk-nodejs @aws-sdk/client-s3\" " * 60000),
    "dashes": _text(b"-" * 1000000),
    "spaces": _text(b" " * 1000000),
    "archive": _text(b"PK\x01\x02" + b".dist-info/METADATA" * 9000 + b"PK\x05\x06" + b"\xff" * 18),
}  # fmt: skip


@pytest.mark.parametrize("tree", TREES)
def test_a_hostile_tree_is_no_error(tmp_path: Path, tree: str) -> None:
    """Finders raise nothing but OSError and Spent, within their budget, and end."""
    TREES[tree](tmp_path)
    for finder, executable, script in FINDERS:
        for told in (script, "/srv/app/app.pyz", "/srv/app", "", "/srv/app/\0"):
            args = (executable, told or "-m", "x")
            with _opened(tmp_path) as root:
                subject = Subject(root, executable, args, script=told, cwd="/srv/app", home="/srv")
                _end(finder.of_process(subject))
        for place in filter(finder.is_wanted, map("/{}".format, PLACES)):
            with _opened(tmp_path) as root:
                _end(finder.of_file(root, place))


def _opened(tree: Path) -> Root:
    return Root(str(tree), Budget(bytes_max=BYTES_MAX, files_max=FILES_MAX, cpu_s=CPU_S))


def _end(found: Iterator[Found]) -> None:
    began_s = time.thread_time()
    with contextlib.suppress(OSError, Spent):
        for each in found:
            assert not isinstance(each, Library) or len(each.version) <= VERSION_MAX
    assert time.thread_time() - began_s < CPU_S + 1


@pytest.mark.parametrize("left", [5, 40, 50, 60, 200])
def test_what_was_found_before_the_limit_stands(tmp_path: Path, left: int) -> None:
    """With fewer files to open than there are, what is known so far is told."""
    metadata = "Requires-Dist: botocore<1.13\n"
    for name in ("boto3-1.9.253", "botocore-1.12.253", *(f"a{each}-1" for each in range(40))):
        folder = tmp_path / "usr/lib/python3.11/site-packages" / f"{name}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(metadata)
    found: list[Found] = []
    lacks = False
    with Root(str(tmp_path), Budget(bytes_max=1 << 20, files_max=left, cpu_s=60)) as root:
        try:
            found.extend(python.of_process(Subject(root, "/usr/bin/python3.11", ("python3",))))
        except Spent:
            lacks = True
    versions = [each.version for each in found if isinstance(each, Library)]
    assert versions == (["1.9.253", "1.12.253"] if left > 5 else [])
    assert lacks == (left < 200)
