"""Writes the release's files for clusters: the chart's archive, and plain YAML of each preset.

Run as ``python -m deploy DIRECTORY``. The same sources give the same bytes: the archive's times are
those of SOURCE_DATE_EPOCH, or 0.
"""

from __future__ import annotations

import gzip
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from analyzer import __version__
from deploy.helm import CHART, RELEASE, Helm, HelmError

HEADER = """\
# imds-analyzer {version}, for {preset}: `kubectl apply --filename` makes it.
# Replace registry.example/imds-analyzer by where you pushed the image:
#     sed s,registry.example/imds-analyzer,YOUR_REGISTRY/imds-analyzer,
"""


def write(directory: Path, at: int) -> list[Path]:
    """Write all files and return their paths; ``at`` is the archive's time in seconds.

    Raises HelmError where the linter finds something.
    """
    directory.mkdir(parents=True, exist_ok=True)
    presets = sorted((CHART / "ci").glob("*-values.yaml"))
    with Helm() as helm:
        for values in presets:
            helm.lint((values,))
        written = [_archive(helm, directory, at)]
        for values in presets:
            preset = values.name.removesuffix("-values.yaml")
            path = directory / f"{RELEASE}-{__version__}-{preset}.yaml"
            # The namespace is one of the objects: `kubectl apply` makes no other.
            objects = helm.template((values,), {"namespace": {"create": True}})
            header = HEADER.format(version=__version__, preset=preset)
            path.write_text(header + objects.rstrip("\n") + "\n", encoding="utf-8")
            written.append(path)
    return written


def _archive(helm: Helm, directory: Path, at: int) -> Path:
    """Write the chart's archive: Helm's own, with its members in order and one time."""
    with tempfile.TemporaryDirectory() as scratch:
        packed = helm.package(Path(scratch))
        target = directory / packed.name
        with (
            tarfile.open(packed) as source,
            target.open("wb") as raw,
            # Without a name and a time of its own.
            gzip.GzipFile("", "wb", fileobj=raw, mtime=at) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as result,
        ):
            for member in sorted(source.getmembers(), key=lambda each: each.name):
                content = source.extractfile(member)
                member.mtime, member.mode = at, 0o644
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.pax_headers = {}
                result.addfile(member, content)
    return target


def main() -> None:
    """Write to the directory that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004 (the program and a directory)
        sys.exit("usage: python -m deploy DIRECTORY")
    try:
        written = write(Path(sys.argv[1]), int(os.environ.get("SOURCE_DATE_EPOCH") or 0))
    except HelmError as error:
        sys.exit(f"deploy: {error}")
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
