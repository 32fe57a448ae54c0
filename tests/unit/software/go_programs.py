"""Build information as Go's linker writes it, before and since Go 1.18 (debug/buildinfo)."""

from __future__ import annotations

from tests.unit.software.elf_files import Kind, address_of, elf

SECTION = ".go.buildinfo"
MODULES = (
    "path\texample.com/shop/cmd/shop\n"
    "mod\texample.com/shop\tv1.4.0\th1:abc=\n"
    "dep\tgithub.com/aws/aws-sdk-go\tv1.44.133\th1:abc=\n"
    "dep\tgithub.com/aws/aws-sdk-go-v2/config\tv1.8.0\n"
    "=>\tgithub.com/fork/config\tv1.8.1\th1:def=\n"
    "dep\tgithub.com/aws/aws-sdk-go-v2/credentials\tv1.0.0\n"
    "=>\t./internal/credentials\t(devel)\t\n"
    "dep\tgithub.com/aws/aws-sdk-go-v2/feature/ec2/imds\tv1.0.0\n"
    "=>\tgithub.com/aws/aws-sdk-go-v2/feature/ec2/imds\tv1.0.1\th1:def=\n"
    "dep\tgithub.com/aws/aws-sdk-go-v2/service/s3\tv1.0.0\th1:abc=\n"
    "dep\tgolang.org/x/sys\tv0.1.0\th1:abc=\n"
    "build\t-compiler=gc\n"
    'build\t-ldflags="-X \\"main.x=1\\"\\t-s"\n'
)
# cmd/go/internal/modload: infoStart and infoEnd.
_FRAMES = tuple(
    bytes.fromhex(text)
    for text in ("3077af0c9274080241e1c107e6d618e6", "f932433186182072008242104116d8f2")
)


def inline(modules: str, version: str = "go1.21.0") -> bytes:
    """Return the section of Go 1.18 and later."""
    return b"\xff Go buildinf:\x08\x02".ljust(32, b"\0") + b"".join(
        _varint(len(text)) + text for text in (version.encode(), framed(modules))
    )


def framed(modules: str) -> bytes:
    return _FRAMES[0] + modules.encode() + _FRAMES[1]


def pointed(kind: Kind, modules: str, version: str = "go1.16") -> dict[str, bytes]:
    """Return the sections of Go before 1.18: pointers to strings, which point to their bytes."""
    word = "I" if kind.bits == 32 else "Q"
    texts = [version.encode(), framed(modules)]
    sections = {
        SECTION: b"\0" * 32,
        "strings": b"\0" * 4 * (kind.bits // 8),
        "texts": b"".join(texts),
    }
    text, strings = (address_of(sections, name) for name in ("texts", "strings"))
    sections["strings"] = kind.pack(
        f"4{word}", text, len(texts[0]), text + len(texts[0]), len(texts[1])
    )
    head = b"\xff Go buildinf:" + bytes([kind.bits // 8, kind.order == ">"])
    sections[SECTION] = head + kind.pack(f"2{word}", strings, strings + 2 * (kind.bits // 8)).ljust(
        16, b"\0"
    )
    return sections


def program(
    kind: Kind,
    modules: str = MODULES,
    *,
    is_old: bool = False,
    has_headers: bool = True,
    before: int = 9,
) -> bytes:
    """Return a program; other data comes before the build information, as in a real one."""
    if is_old:
        return elf(kind, pointed(kind, modules), with_headers=has_headers)
    data = (b"x\xff Go buildinf:" * 9).ljust(before, b"\0")
    return elf(kind, {".data": data, SECTION: inline(modules)}, with_headers=has_headers)


def _varint(number: int) -> bytes:
    found = b""
    while number >= 0x80:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])
