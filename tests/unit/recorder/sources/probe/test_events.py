"""The probe's events are decoded by the layout that bpf/imds_event.h gives them."""

from __future__ import annotations

import pytest

from analyzer.recorder.source_events import CgroupMade
from analyzer.recorder.sources.probe import layout
from analyzer.recorder.sources.probe.events import cgroup_of, decode_event

PATH = b"/machine.slice/libpod-3f1c.scope"


def made(path: bytes, size: int) -> bytes:
    """Return the event of a new cgroup; the ring's place has something else behind the path."""
    filled = path.ljust(layout.CGROUP_PATH_MAX, b"x")
    return layout.CGROUP.pack(layout.KIND_CGROUP, size, 77, 4711, filled)


def test_a_new_cgroup_has_its_id_and_path() -> None:
    raw = made(PATH + b"\0", len(PATH))
    assert decode_event(raw) == CgroupMade(77, 4711, PATH)
    assert cgroup_of(raw) == 0  # nobody has called from it


def test_an_event_of_another_build_is_an_error() -> None:
    with pytest.raises(Exception, match="requires a buffer"):
        decode_event(made(PATH, len(PATH))[:-1])
    with pytest.raises(ValueError, match="of kind 99"):
        decode_event(bytes([99]) + made(PATH, len(PATH))[1:])
