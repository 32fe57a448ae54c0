"""A path that names its package says which one owns it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software.managers import by_path
from analyzer.software.root import Root
from tests.unit.software.trees import tree

FILES = {
    "/snap/amazon-ssm-agent/7993/meta/snap.yaml": "name: amazon-ssm-agent\nversion: '3.3.131.0'\n",
    "/srv/app/node_modules/@acme/aws/package.json": '{"name": "@acme/aws", "version": "1.2.3",'
    ' "author": {"name": "Acme"}}',
    "/srv/app/node_modules/odd/package.json": "[]",
    "/srv/venv/lib/python3.11/site-packages/gunicorn-20.1.0.dist-info/RECORD":
        "../../../bin/gunicorn,sha256=x,1\ngunicorn/app.py,sha256=y,2\n",
    "/srv/venv/lib/python3.11/site-packages/other-1.dist-info/METADATA": "",
    "/srv/venv/bin/gunicorn": "#!",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/snap/amazon-ssm-agent/7993/amazon-ssm-agent", ("snap", "amazon-ssm-agent", "3.3.131.0")),
        ("/srv/app/node_modules/@acme/aws/lib/a.js", ("npm", "@acme/aws", "1.2.3")),
        ("/srv/app/node_modules/odd/a.js", None),
        ("/var/lib/gems/3.1.0/gems/aws-sdk-core-2.1.0/bin/x", ("gem", "aws-sdk-core", "2.1.0")),
        ("/srv/gems/mine/x.rb", None),
        ("/srv/venv/bin/gunicorn", ("pip", "gunicorn", "20.1.0")),
        ("/srv/venv/lib/python3.11/site-packages/gunicorn/app.py", ("pip", "gunicorn", "20.1.0")),
        ("/srv/venv/bin/facts.py", None),
    ],
)
def test_the_owner_of_a_path(
    tmp_path: Path, path: str, wanted: tuple[str, str, str] | None
) -> None:
    """By the path and the package's own file."""
    with Root(str(tree(tmp_path, FILES))) as root:
        found = [(each.manager, each.name, each.version) for each in by_path.owners(root, [path])]
    assert found == ([wanted] if wanted else [])
