"""The kernels the live suite runs on: found on the mirror, verified, unpacked, kept in a cache."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.vmtest.kernels.mirror import VmError, machine_mirrors
from tests.vmtest.kernels.packages import Apt, Offer, Package, is_newer

MARKER = "kernel.json"


class KernelError(VmError):
    """A kernel is neither in the cache nor on the mirror, or its packages are not as expected."""


@dataclass(frozen=True)
class Line:
    """One row of the kernel matrix: where to look, and which versions count.

    ``prefix`` is what the package's version has to begin with; empty takes the highest.
    ``bcc`` tells whether Debian 12's BCC (0.26) compiles the kernel's headers.
    ``arch`` is Debian's name of the machine type.
    """

    name: str
    prefix: str
    suites: tuple[str, ...]
    bcc: bool
    arch: str = "amd64"


# From 6.12 (6.9 in truth) the kernel's linux/bpf.h takes the size of structures which the
# bpf.h that comes inside BCC 0.26, and shadows the kernel's, does not have.
LINES = (
    Line("5.10", "5.10.", ("bullseye", "bullseye-security"), bcc=True),
    Line("6.1", "6.1.", ("bookworm", "bookworm-security"), bcc=True),
    Line("6.12", "6.12.", ("bookworm-backports", "trixie", "trixie-security"), bcc=False),
    Line("newest", "", ("trixie", "trixie-security", "trixie-backports"), bcc=False),
    # The line that Graviton machines run; fentry on arm64 came with 6.4.
    Line("arm64", "6.12.", ("trixie", "trixie-security"), bcc=False, arch="arm64"),
)


@dataclass(frozen=True)
class Kernel:
    """One kernel, unpacked: ``root`` has ``usr/lib/modules/<release>`` with headers linked in."""

    line: str
    arch: str
    release: str
    version: str
    root: Path
    image: Path


def cache_dir() -> Path:
    """Return where kernels are kept: ``$IMDS_ANALYZER_CACHE``, else the user's cache directory."""
    own = os.environ.get("IMDS_ANALYZER_CACHE")
    if own:
        return Path(own).absolute() / "kernels"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "imds-analyzer" / "kernels"


def line_named(name: str) -> Line:
    """Look a row of the matrix up by its name. Raises KernelError."""
    for line in LINES:
        if line.name == name:
            return line
    raise KernelError(f"no kernel {name!r}; there are: {', '.join(each.name for each in LINES)}")


def choose_offer(line: Line, offers: Sequence[Offer]) -> str:
    """Return the highest version that belongs to the line. Raises KernelError."""
    best = ""
    for offer in offers:
        if offer.suite not in line.suites or not offer.version.startswith(line.prefix):
            continue
        if not best or is_newer(offer.version, best):
            best = offer.version
    if not best:
        raise KernelError(
            f"kernel {line.name}: this machine's mirror offers none in {', '.join(line.suites)}, "
            "and none is in the cache. Point apt to a mirror that still has one of these suites"
        )
    return best


def cached(line: Line, arch: str) -> Kernel | None:
    """Return the kernel that was unpacked last for the line, or None."""
    markers = list((cache_dir() / arch / line.name).glob(f"*/{MARKER}"))
    if not markers:
        return None
    marker = max(markers, key=lambda path: path.stat().st_mtime)
    facts = json.loads(marker.read_text(encoding="utf-8"))
    root = marker.parent
    return Kernel(line.name, arch, facts["release"], facts["version"], root, root / facts["image"])


def fetch(lines: Sequence[Line], *, refresh: bool = False) -> list[Kernel]:
    """Return a kernel for each line; goes to the network only for what the cache lacks.

    ``refresh`` asks the mirror for newer versions. Raises VmError when one is unavailable.
    """
    directory = cache_dir()
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory / "lock"):
        missing = [line for line in lines if refresh or cached(line, line.arch) is None]
        for arch in dict.fromkeys(line.arch for line in missing):
            ours = [line for line in missing if line.arch == arch]
            suites = dict.fromkeys(suite for line in ours for suite in line.suites)
            with tempfile.TemporaryDirectory(prefix="apt-", dir=directory) as scratch:
                apt = Apt(Path(scratch), machine_mirrors(), suites, arch)
                apt.update()
                for line in ours:
                    _unpack(apt, line, arch)
    kernels = [cached(line, line.arch) for line in lines]
    return [kernel for kernel in kernels if kernel is not None]


def _unpack(apt: Apt, line: Line, arch: str) -> None:
    version = choose_offer(line, apt.offers(f"linux-image-{arch}"))
    home = cache_dir() / arch / line.name
    home.mkdir(parents=True, exist_ok=True)
    final = home / version
    if (final / MARKER).exists():
        (final / MARKER).touch()
        return
    roots = [Package(f"linux-{kind}-{arch}", version) for kind in ("image", "headers")]
    # Nothing under the final name is ever incomplete: it appears by a rename, marker and all.
    scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
    try:
        packages = apt.kernel_packages(roots)
        debs = apt.download(packages, scratch / "debs")
        tree = scratch / "tree"
        # Older packages have /lib, newer ones /usr/lib; one layout serves both.
        (tree / "usr" / "lib").mkdir(parents=True)
        (tree / "lib").symlink_to("usr/lib")
        for deb in debs:
            extract(deb, tree)
        facts = _prepare(tree)
        facts["version"] = version
        facts["packages"] = [asdict(package) for package in packages]
        (tree / MARKER).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        tree.rename(final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for other in home.iterdir():
        if other != final:
            shutil.rmtree(other)


def extract(deb: Path, tree: Path) -> None:
    """Unpack a package's files into a tree and remove the package. Raises KernelError."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as unpack:
        subprocess.run(
            ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", tree],
            stdin=unpack.stdout,
            check=True,
        )
    if unpack.returncode != 0:
        raise KernelError(f"{deb.name} cannot be unpacked; the download is damaged")
    deb.unlink()


def _prepare(tree: Path) -> dict[str, object]:
    """Make an unpacked tree bootable: find the image, index modules, link headers relatively."""
    modules = tree / "usr" / "lib" / "modules"
    releases = [path.name for path in modules.iterdir() if (path / "kernel").is_dir()]
    if len(releases) != 1:
        raise KernelError(f"expected one kernel's modules, found {releases}")
    release = releases[0]
    for image in (tree / "boot" / f"vmlinuz-{release}", modules / release / "vmlinuz"):
        if image.exists():
            break
    else:
        raise KernelError(f"the packages of {release} hold no vmlinuz")
    # The package's links are absolute and would point into the host's own /usr/src.
    sources = tree / "usr" / "src"
    flavour = sources / f"linux-headers-{release}"
    common = sources / f"linux-headers-{release.rsplit('-', 1)[0]}-common"
    for name, target in (("build", flavour), ("source", common)):
        link = modules / release / name
        if not target.is_dir():
            raise KernelError(f"the header packages of {release} hold no {target.name}")
        if link.is_symlink():
            link.unlink()
        link.symlink_to(os.path.relpath(target, link.parent))
    subprocess.run(["depmod", "-b", tree, release], check=True)
    return {"release": release, "image": str(image.relative_to(tree))}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time change the cache; the others wait for it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
