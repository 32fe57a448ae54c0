"""References of images, taken apart."""

from __future__ import annotations

import pytest

from analyzer.recorder.attribute.runtimes.images import reference

DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("nginx", "nginx", ""),
        ("nginx:1.27", "nginx", "1.27"),
        ("localhost:5000/team/app", "localhost:5000/team/app", ""),
        ("localhost:5000/team/app:v2", "localhost:5000/team/app", "v2"),
        (f"registry.example/app:1.4@{DIGEST}", "registry.example/app", "1.4"),
        (f"registry.example/app@{DIGEST}", "registry.example/app", ""),
        (DIGEST, "", ""),
        ("ab" * 32, "", ""),
        ("", "", ""),
    ],
)
def test_a_reference_has_a_name_and_a_tag(text: str, name: str, tag: str) -> None:
    assert reference(text) == (name, tag)
