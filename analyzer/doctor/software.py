"""Checks what is installed: libbpf for one loader, BCC and headers for the other."""

from __future__ import annotations

import platform

from analyzer.doctor.findings import CheckResult, fine, lacking
from analyzer.recorder.sources.probe.bcc import (
    INSTALL_BCC,
    INSTALL_HEADERS,
    find_headers,
    import_bcc,
)
from analyzer.recorder.sources.probe.core import INSTALL_LIBBPF
from analyzer.recorder.sources.probe.libbpf import Libbpf


def libbpf() -> CheckResult:
    """Check that libbpf can be loaded."""
    try:
        library = Libbpf()
    except OSError as error:
        return lacking(f"not installed ({error})", INSTALL_LIBBPF)
    return fine(
        library.soname
        if library.version == library.soname
        else f"{library.soname}, version {library.version}"
    )


def bcc() -> CheckResult:
    """Check that BCC can be imported."""
    try:
        module = import_bcc()
    except (ImportError, OSError, AttributeError) as error:
        # OSError: without libbcc; AttributeError: with a libbcc of another version.
        return lacking(f"not usable ({error})", INSTALL_BCC)
    version = getattr(module, "__version__", "of unknown version")
    return fine(f"{version} in {module.__file__}")


def headers() -> CheckResult:
    """Check that the running kernel's headers are there, which BCC compiles with."""
    place = find_headers()
    release = platform.release()
    if place is None:
        return lacking(
            f"none of {release} in /lib/modules/{release}",
            INSTALL_HEADERS,
        )
    return fine(str(place))
