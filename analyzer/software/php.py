"""Finds the packages that a PHP process can load: what Composer installed, and phar archives."""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Optional

from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.root import Root, parents
from analyzer.software.subject import Subject
from analyzer.software.wanted import COMPOSER

_UP_MAX = 16
# A project of 150 packages has 500 KB; 1 MiB needs 8 ms and 8 MB.
_JSON_MAX = 1 << 20
_TEXT_MAX = 65536
_PHAR_MAX = 4 << 20
_CHUNK = 1 << 20
_PLUGINS_MAX = 64
_REQUIRED_BY_MAX = 8

_PHP = re.compile(r"php(?:-fpm|-cgi|dbg)?[\d.]*|frankenphp")
_INSTALLED = "vendor/composer/installed.json"
_LOCK = "composer.lock"
_SDK = "Aws/Sdk.php"
# Where the script of a server's request is, if nothing else tells it.
_DOCUMENTS = ("/var/www", "/var/www/html", "/srv/www", "/usr/share/nginx/html", "/app", "/opt/app")
_PLUGINS = ("wp-content/plugins", "modules")
_VERSION = re.compile(rb"const VERSION = ['\"]([\w.-]{1,64})['\"]")
_NAME = re.compile(
    rb'"name":\s*"((?:aws|async-aws|elastic)\\?/[a-z0-9-]{1,64})",\s*"version":\s*"v?([\w.-]{1,64})"'
)
# Composer's own table for PHP, for a project whose JSON is too long.
_TABLE = re.compile(
    rb"'([a-z0-9-]+/[a-z0-9-]+)' => array\(\s*'pretty_version' => 'v?([\w.-]{1,64})'"
)
# A framework's program, by its name and the package that brings it.
_PROGRAMS = {
    "artisan": "laravel/framework",
    "console": "symfony/framework-bundle",
    "drush": "drush/drush",
    "drush.php": "drush/drush",
    "magento": "magento/framework",
    "wp": "wp-cli/wp-cli",
}
_IN_PACKAGE = re.compile(r".*/vendor/(?!bin/|composer/)([^/]+/[^/]+)/.*", re.DOTALL)


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the wanted packages of the nearest project, and the package whose program it is."""
    if not _is_php(subject):
        return
    root = subject.root
    if root.is_file(subject.script):
        yield from _archived(root, subject.script)
    for folder in dict.fromkeys(_folders(subject)):
        packages = _packages(root, folder)
        found = list(_libraries(root, folder, packages))
        yield from found
        entry = _entry_point(subject, packages)
        if entry is not None:
            yield entry
        if packages:
            return


def is_wanted(path: str) -> bool:
    """Tell whether a file is what Composer wrote, the SDK itself or an archive."""
    return path.endswith(
        (f"/{_INSTALLED}", f"/{_LOCK}", f"/{_SDK}", "/aws-sdk-php/src/Sdk.php", ".phar")
    )


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the wanted packages that a file names or holds."""
    if path.endswith(".phar"):
        yield from _of_archive(root, path)
    elif path.endswith((f"/{_INSTALLED}", f"/{_LOCK}")):
        end = _INSTALLED if path.endswith(_INSTALLED) else _LOCK
        folder = path.removesuffix(f"/{end}") or "/"
        if end == _INSTALLED or not root.is_file(f"{folder}/{_INSTALLED}"):
            yield from _libraries(root, folder, _packages(root, folder))
    elif "/vendor/aws/aws-sdk-php/" not in path:  # Composer's file says it
        version = _VERSION.search(root.read(path, _TEXT_MAX))
        if version is not None:
            place = posixpath.dirname(path)
            yield Library("composer", "aws/aws-sdk-php", version[1].decode("ascii"), place)


def _is_php(subject: Subject) -> bool:
    names = [posixpath.basename(word) for word in (subject.executable, *subject.args[:1])]
    if any(_PHP.fullmatch(name) or name.startswith("php-fpm: ") for name in names):
        return True
    return any("/libphp" in path for path in subject.open_files)


def _folders(subject: Subject) -> Iterator[str]:
    starts = [subject.script, posixpath.join(subject.cwd, "-")]
    starts += [path for path in subject.open_files if path.endswith((".php", ".phar"))][:4]
    if subject.script:
        with contextlib.suppress(OSError):
            starts.insert(1, subject.root.real(subject.script))
    for start in filter(None, starts):
        for folder, _ in zip(parents(start), range(_UP_MAX)):
            yield folder
            if folder != "/":
                yield from _plugins(subject.root, folder)
    if not subject.script:
        for folder in _DOCUMENTS:
            yield folder
            yield from _plugins(subject.root, folder)
            try:
                yield from (f"{folder}/{name}" for name in subject.root.names(folder)[:16])
            except OSError:
                continue


def _plugins(root: Root, folder: str) -> Iterator[str]:
    """Yield the plug-ins of an application; each may bring a vendor folder of its own."""
    for name in _PLUGINS:
        try:
            names = root.names(f"{folder}/{name}")[:_PLUGINS_MAX]
        except OSError:
            continue
        yield from (f"{folder}/{name}/{each}" for each in names)


class _Packages(dict[str, tuple[str, tuple[str, ...]]]):
    """Packages by name, with version and what they require; ``source`` says which file told."""

    source = ""


def _packages(root: Root, folder: str) -> _Packages:
    """Return what is installed in a project, nothing if Composer was never there."""
    base = folder.rstrip("/")
    for name in (_INSTALLED, _LOCK):
        found = _of_json(root, f"{base}/{name}")
        if found:
            return found
    return _of_table(root, f"{base}/vendor/composer/installed.php")


def _of_json(root: Root, path: str) -> _Packages:
    found = _Packages()
    found.source = path
    try:
        raw = root.read(path, _JSON_MAX)
        said = json.loads(raw, parse_int=str) if len(raw) < _JSON_MAX else None
    except (OSError, ValueError, RecursionError):
        return found
    if isinstance(said, dict):
        listed = said.get("packages")
        further = said.get("packages-dev")
        said = [*_list(listed), *_list(further)]
    for each in _list(said):
        if isinstance(each, dict):
            name, version = each.get("name"), each.get("version")
            requires = each.get("require")
            if isinstance(name, str) and isinstance(version, str):
                asks = tuple(requires) if isinstance(requires, Mapping) else ()
                found[name[:256]] = (version[:64].removeprefix("v"), asks)
    return found


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _of_table(root: Root, path: str) -> _Packages:
    found = _Packages()
    found.source = path
    try:
        raw = root.read(path, _JSON_MAX)
    except OSError:
        return found
    for match in _TABLE.finditer(raw):
        found[match[1].decode("ascii")] = (match[2].decode("ascii"), ())
    return found


def _libraries(root: Root, folder: str, packages: _Packages) -> Iterator[Library]:
    for name in sorted(packages.keys() & COMPOSER):
        by = [f"{other} {told[0]}" for other, told in packages.items() if name in told[1]]
        place = f"{folder.rstrip('/')}/vendor/{name}"
        path = place if root.is_dir(place) else packages.source
        yield Library("composer", name, packages[name][0], path, tuple(by[:_REQUIRED_BY_MAX]))


def _archived(root: Root, path: str) -> Iterator[Library]:
    """Yield what a script holds, if it is an archive."""
    try:
        if b"__HALT_COMPILER" in root.read(path, _TEXT_MAX):
            yield from _of_archive(root, path)
    except OSError:
        return


def _of_archive(root: Root, path: str) -> Iterator[Library]:
    """Yield what an archive's own text tells: Composer's file, or the SDK's constant."""
    found: dict[str, str] = {}
    with root.open(path) as file:
        rest, has_sdk = b"", False
        for _ in range(_PHAR_MAX // _CHUNK):
            if root.budget is not None:
                root.budget.read(_CHUNK)
            part = file.read(_CHUNK)
            if not part:
                break
            chunk, rest = rest + part, part[-4096:]
            has_sdk = has_sdk or _SDK.encode() in chunk or b"aws-sdk-php/src/Sdk.php" in chunk
            for match in _NAME.finditer(chunk) if b'"version"' in chunk else ():
                found.setdefault(
                    match[1].decode("ascii").replace("\\", ""), match[2].decode("ascii")
                )
            version = _VERSION.search(chunk) if has_sdk and b"namespace Aws;" in chunk else None
            if version is not None:
                found.setdefault("aws/aws-sdk-php", version[1].decode("ascii"))
    for name, told in found.items():
        if name in COMPOSER:
            yield Library("composer", name, told, f"{path}!/vendor/{name}")


def _entry_point(subject: Subject, packages: _Packages) -> Optional[EntryPoint]:
    if not subject.script:
        return None
    name = _PROGRAMS.get(posixpath.basename(subject.script), "")
    try:
        match = _IN_PACKAGE.fullmatch(subject.root.real(subject.script))
    except OSError:
        match = None
    name = match[1] if match is not None else name
    told = packages.get(name)
    return EntryPoint("composer", name, told[0], subject.script) if told is not None else None
