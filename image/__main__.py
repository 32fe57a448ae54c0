"""Writes the archives that Containerfile adds, one for each machine type."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from image.contents import MACHINES
from image.errors import ImageError
from image.rootfs import write_archive
from tests.vmtest.kernels.mirror import VmError


def main() -> int:
    """Write one archive for each machine type, and print its size."""
    parser = argparse.ArgumentParser(prog="python -m image", description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--lock", type=Path, default=Path("requirements.lock"))
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--time", type=int, required=True, metavar="EPOCH", help="newest file")
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help=f"of {', '.join(MACHINES)}")
    options = parser.parse_args()
    try:
        for name in options.machines or MACHINES:
            archive = options.into / f"root-{name}.tar"
            packages = write_archive(name, options.wheel, options.lock, archive, at_s=options.time)
            size_mb = archive.stat().st_size / 1e6
            print(f"{archive}: {size_mb:.1f} MB, {len(packages)} Debian packages", flush=True)
    except (ImageError, VmError, KeyError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
