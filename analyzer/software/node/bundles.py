"""Looks for SDKs in text that holds many packages: a bundle, Yarn's table of places."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from analyzer.software.folder import Folder
from analyzer.software.found import Library
from analyzer.software.node.packages import Described, is_wanted_name, maybe_described
from analyzer.software.root import Root

# Of a bundle; 1 MiB costs 2 ms. The SDK's core stands before its tables of services.
_BUNDLE_MAX = 4 << 20
_CHUNK, _OVERLAP = 1 << 20, 1024
_PNP_MAX = 3 << 20
_FOUND_MAX = 16
_TRIED_MAX = 64  # places in a chunk that are looked at

# What the SDK calls itself, put together when it runs.
_V2 = (b"'aws-sdk-'", b'"aws-sdk-"', b"aws-sdk-nodejs")
# As written, and as minifiers write it.
_V2_NAMED = (b'VERSION: "2.', b"VERSION: '2.", b'VERSION:"2.', b"VERSION:'2.")
_V2_VERSION = re.compile(rb"""VERSION: ?["'](2\.\d{1,4}\.\d{1,4})["']""")
_V3 = b"@aws-sdk/client-"
# package.json as bundlers write it into code: JavaScript, JSON, JSON within a string.
_V3_VERSION = re.compile(
    rb"""@aws-sdk/(client-[a-z0-9-]{1,64})\\?["'],.{0,300}?version\\?["']?:\s*\\?["']"""
    rb"""(\d[\w.-]{1,32})\\?["']""",
    re.DOTALL,
)

_PNP = ".pnp.cjs"
_PLACE = re.compile(rb'\["((?:@[\w.-]+/)?[\w.-]{1,128})", \[\\?\n')
_RESOLVED = re.compile(rb'\s*\["(?:virtual:[0-9a-f]+#)?npm:(\d[^"#]{1,64})", \{')
_CACHED = re.compile(rb'"packageLocation": "([^"\\]{1,512})"')


def libraries(root: Root, path: str) -> Iterator[Library]:
    """Yield the SDKs within a script, by the versions that they would tell AWS."""
    is_v2, version = False, ""
    clients: dict[str, str] = {}
    for chunk in _chunks(root, path):
        is_v2 = is_v2 or any(name in chunk for name in _V2)
        if not version:
            version = _version(chunk)
        for at in _places(chunk, _V3):
            match = _V3_VERSION.match(chunk, at)
            if match is not None and len(clients) < _FOUND_MAX:
                clients.setdefault(f"@aws-sdk/{match[1].decode()}", match[2].decode())
    if is_v2 and version:
        yield Library("npm", "aws-sdk", version, path)
    for name, told in clients.items():
        yield Library("npm", name, told, path)


def _version(chunk: bytes) -> str:
    for named in _V2_NAMED:
        for at in _places(chunk, named):
            match = _V2_VERSION.match(chunk, at)
            if match is not None:
                return match[1].decode()
    return ""


def _places(chunk: bytes, text: bytes) -> Iterator[int]:
    at = chunk.find(text)
    for _ in range(_TRIED_MAX):
        if at < 0:
            return
        yield at
        at = chunk.find(text, at + len(text))


def _chunks(root: Root, path: str) -> Iterator[bytes]:
    with root.open(path) as file:
        rest = b""
        for _ in range(_BUNDLE_MAX // _CHUNK):
            if root.budget is not None:
                root.budget.read(_CHUNK)
            chunk = file.read(_CHUNK)
            if not chunk:
                return
            yield rest + chunk
            rest = chunk[-_OVERLAP:]


def of_yarn(folder: Folder) -> Iterator[Library]:
    """Yield what Yarn's table of places names; there is no node_modules then."""
    raw = folder.read(_PNP, _PNP_MAX)
    project = maybe_described(folder, "package.json") or Described("", "")
    at, found = 0, 0
    while found < _FOUND_MAX:
        match = _PLACE.search(raw, at)
        if match is None:
            return
        at = match.end()
        name = match[1].decode("ascii", "replace")
        resolved = _RESOLVED.match(raw, at) if is_wanted_name(name) else None
        if resolved is not None:
            found += 1
            cached = _CACHED.search(raw, resolved.end(), resolved.end() + 1024)
            place = cached[1].decode("utf-8", "replace") if cached else _PNP
            path = posixpath.normpath(posixpath.join(folder.path, place.replace(".zip/", ".zip!/")))
            by = (project.text,) if project.name and name in project.required else ()
            yield Library("npm", name, resolved[1].decode("ascii", "replace"), path, by)
