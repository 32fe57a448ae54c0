"""Build what is installed in the guests: three wheels, and the wheels these need, per Python."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

from tests.vmtest.kernels.guest import CHECKOUT
from tests.vmtest.kernels.kernels import cache_dir, locked
from tests.vmtest.kernels.mirror import MirrorError, VmError
from tests.vmtest.kernels.packages import RETRY_WAITS_S
from tests.vmtest.systems.roots import SHARED, UNIT

LOCK = CHECKOUT / "requirements.lock"
INSTALLER = CHECKOUT / "install.sh"
# Of the machine type the guests are; older names of platforms mean the same.
PLATFORMS = tuple(
    f"manylinux{version}_x86_64" for version in ("_2_28", "_2_17", "2014", "2010", "1")
)
PIP_TIMEOUT_S = 600

_VERSION = re.compile(r'^__version__ = "(?P<version>[^"]+)"$', re.MULTILINE)
# In place of what only the daemon loads, in a version that must not replace one that works: the
# program answers to --version and takes the configuration, and ends as soon as it is a service.
_BROKEN = 'raise SystemExit("broken on purpose")\n'
# The guest's first command: the repository, then the driver.
_START = f"""\
set -e
cd {SHARED}
mkdir -p packages
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=131072 packages packages
cd code
exec python3 -B -m tests.vmtest.systems.guest.driver {SHARED}
"""


class BundleError(VmError):
    """A wheel could not be built, or what it needs is not as expected."""


@dataclass(frozen=True)
class Build:
    """A wheel and the version it says it is."""

    wheel: Path
    version: str


def build_wheels(into: Path) -> dict[str, Build]:
    """Build the checkout's wheel, one of a higher version, and one whose daemon ends at once.

    Raises BundleError.
    """
    builds = {}
    for which, suffix in (("first", ""), ("second", ".post1"), ("broken", ".post2")):
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "checkout"
            copy_checkout(copy)
            version = _set_version(copy / "analyzer" / "__init__.py", suffix)
            if which == "broken":
                (copy / "analyzer/recorder/pipeline.py").write_text(_BROKEN, encoding="utf-8")
            place = into / which
            _pip("wheel", "--no-deps", "--wheel-dir", str(place), str(copy))
            (wheel,) = place.glob("*.whl")
            builds[which] = Build(wheel, version)
    return builds


def copy_checkout(copy: Path) -> None:
    """Copy what git knows or would add, and the compiled probes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    compiled = [str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("bpf/build/*.o")]
    if not compiled:
        raise BundleError("the probes are not compiled. Run: make build")
    for name in filter(None, (*listed, *compiled)):
        if (CHECKOUT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, copy / name)


def _set_version(module: Path, suffix: str) -> str:
    text = module.read_text(encoding="utf-8")
    match = _VERSION.search(text)
    if match is None:
        raise BundleError(f"{module.name} has no line __version__ = …")
    version = match["version"] + suffix
    module.write_text(_VERSION.sub(f'__version__ = "{version}"', text), encoding="utf-8")
    return version


def requirements_for(lock: str, python: str) -> str:
    """Return the requirements of a lock file that count for a version of Python on Linux.

    pip reads a lock's conditions for the Python it runs on, whatever version it is asked for.
    """
    return "".join(_selected(lock, python))


def _selected(lock: str, python: str) -> Iterator[str]:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"sys_platform": "linux", "platform_system": "Linux"}
    for block in re.split(r"(?m)^(?=[^\s#])", lock):
        if not re.match(r"\w", block):
            continue  # the comment at the top
        head, hashes = re.split(r"\s*\\\n", block, maxsplit=1)
        requirement, _, marker = head.partition(";")
        if not marker or Marker(marker.strip()).evaluate(environment):
            yield f"{requirement.strip()} \\\n{hashes}"


def offline_wheels(python: str) -> Path:
    """Return a directory with the wheels that a guest with this Python needs; kept for later.

    Raises VmError.
    """
    lock = LOCK.read_text(encoding="utf-8")
    digest = hashlib.sha256(lock.encode()).hexdigest()[:12]
    home = cache_dir().parent / "wheels"
    home.mkdir(parents=True, exist_ok=True)
    final = home / f"{python}-{digest}"
    with locked(home / "lock"):
        if final.exists():
            return final
        scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
        try:
            wanted = scratch / "requirements.txt"
            wanted.write_text(requirements_for(lock, python), encoding="utf-8")
            words = ["--python-version", python, "--implementation", "cp"]
            for platform in PLATFORMS:
                words += ["--platform", platform]
            words += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
            _pip("download", *words, "-d", str(scratch / "wheels"), "-r", str(wanted))
            (scratch / "wheels").rename(final)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        for other in home.glob(f"{python}-*"):
            if other != final:
                shutil.rmtree(other)
    return final


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    trouble = ""
    for wait_s in (0, *RETRY_WAITS_S):
        time.sleep(wait_s)
        done = subprocess.run(
            [*command, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
        )
        if done.returncode == 0:
            return
        trouble = "\n".join(done.stderr.splitlines()[-10:])
    raise MirrorError(f"`pip {words[0]}` failed again and again:\n{trouble}")


def fill(shared: Path, builds: Mapping[str, Build], offline: Path) -> None:
    """Put everything that the guest needs into the directory it shares with the host."""
    for each in (INSTALLER, LOCK):
        shutil.copy2(each, shared / each.name)
    shutil.copytree(offline, shared / "offline")
    for which, build in builds.items():
        (shared / "wheels" / which).mkdir(parents=True)
        shutil.copy2(build.wheel, shared / "wheels" / which / build.wheel.name)
    code = shared / "code"
    for name in ("tests/__init__.py", "tests/vmtest/systems/__init__.py"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, code / name)
    unwanted = shutil.ignore_patterns("__pycache__")
    guest = "tests/vmtest/systems/guest"
    shutil.copytree(CHECKOUT / guest, code / guest, ignore=unwanted)
    given = {
        "unit": UNIT,
        "wheels": {which: f"wheels/{which}/{build.wheel.name}" for which, build in builds.items()},
        "versions": {which: build.version for which, build in builds.items()},
    }
    (shared / "given.json").write_text(json.dumps(given), encoding="utf-8")
    (shared / "start").write_text(_START, encoding="utf-8")
