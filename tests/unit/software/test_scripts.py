"""The lines of a script, as file:line, masked, at most five."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import scripts
from analyzer.software.found import ScriptLine
from analyzer.software.root import Root
from analyzer.software.subject import Subject
from tests.unit.software.trees import tree

CURL = "curl -s http://169.254.169.254/latest/meta-data/"


def _lines(root: Path, script: str, executable: str = "/usr/bin/bash") -> list[tuple[str, int]]:
    with Root(str(root)) as opened:
        found = scripts.of_process(Subject(opened, executable, script=script))
        return [(each.path, each.line) for each in found if isinstance(each, ScriptLine)]


def test_the_script_s_own_lines(tmp_path: Path) -> None:
    """At most five, those without a token first."""
    text = "#!/bin/sh\ncurl -H 'X-aws-ec2-metadata-token: x' 169.254.169.254\n" + (CURL + "\n") * 9
    root = tree(tmp_path, {"/opt/ops/facts.sh": text})
    assert _lines(root, "/opt/ops/facts.sh") == [
        ("/opt/ops/facts.sh", line) for line in range(3, 8)
    ]


def test_a_file_without_a_first_line_is_its_interpreter_s(tmp_path: Path) -> None:
    """As with `sh facts`."""
    root = tree(tmp_path, {"/opt/facts": f"set -e\n{CURL}\n"})
    assert _lines(root, "/opt/facts") == [("/opt/facts", 2)]


def test_what_a_shell_reads_into_itself(tmp_path: Path) -> None:
    """An absolute path and one beside the script; one of a variable is not known."""
    root = tree(
        tmp_path,
        {
            "/opt/run.sh": "#!/bin/sh\n. /etc/lib.sh\nsource other.sh\n. $X/no.sh\nfacts\n",
            "/opt/other.sh": "y=1\n",
            "/etc/lib.sh": f"facts() {{\n  {CURL}\n}}\n",
            "/opt/innocent.sh": CURL,
        },
    )
    assert _lines(root, "/opt/run.sh") == [("/etc/lib.sh", 2)]


def test_a_module_beside_the_script(tmp_path: Path) -> None:
    """A program's own modules; not what stands in a folder of all programs."""
    root = tree(
        tmp_path,
        {
            "/srv/app/main.py": "import facts\n",
            "/srv/app/facts.py": "import requests\nrequests.get('http://169.254.169.254/')\n",
            "/srv/app/README.md": CURL,
            "/usr/bin/main.py": "import facts\n",
            "/usr/bin/facts.py": "requests.get('http://169.254.169.254/')\n",
        },
    )
    assert _lines(root, "/srv/app/main.py", "/usr/bin/python3") == [("/srv/app/facts.py", 2)]
    assert _lines(root, "/usr/bin/main.py", "/usr/bin/python3") == []


def test_secrets_are_masked_and_lines_cut(tmp_path: Path) -> None:
    """Before they are cut."""
    key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz0zEKEY12"
    text = f"{CURL} --user admin:Tr0ub4dor3xyz -H 'Authorization: Bearer {key}'" + " x" * 400
    root = tree(tmp_path, {"/opt/a.sh": text})
    with Root(str(root)) as opened:
        (found,) = scripts.of_file(opened, "/opt/a.sh")
    assert "[redacted]" in found.text
    assert key not in found.text
    assert "Tr0ub4dor3xyz" not in found.text
    assert len(found.text) <= scripts.TEXT_MAX


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/opt/a.sh", True), ("/srv/x.py", True), ("/usr/local/bin/facts", True),
        ("/etc/cron.d/facts", True), ("/etc/crontab", True), ("/var/spool/cron/root", True),
        ("/etc/systemd/system/facts.service", True), ("/srv/infra/main.tf", True),
        ("/var/lib/cloud/instance/scripts/part-001", True), ("/srv/README.md", False),
        ("/etc/squid/squid.conf", True), ("/srv/a.jar", False), ("/etc/hosts", True),
            ("/usr/share/zoneinfo/UTC", False), ("/var/lib/dpkg/info/tar.list", False),
            ("/var/lib/cloud/instances/i-1/user-data.txt.i", True), ("/srv/Rakefile", True),
            ("/etc/dhcp/dhclient-exit-hooks.d/ec2", True), ("/srv/start.py.j2", True),
    ],
)  # fmt: skip
def test_which_files_are_wanted(path: str, wanted: bool) -> None:
    """By name alone."""
    assert scripts.is_wanted(path) is wanted


def test_binary_files_are_left(tmp_path: Path) -> None:
    """A program is no script, whatever it holds."""
    root = tree(tmp_path, {"/usr/bin/prog": b"\x7fELF\0\0" + CURL.encode()})
    with Root(str(root)) as opened:
        assert list(scripts.of_file(opened, "/usr/bin/prog")) == []


def test_node_adds_the_ending_of_a_script(tmp_path: Path) -> None:
    """As with `node /srv/main`; a folder of that name is no script."""
    text = "require('http').get('http://169.254.169.254/latest/meta-data/mac', console.log);\n"
    root = tree(tmp_path, {"/srv/main.js": text, "/srv/app/index.js": text})
    assert _lines(root, "/srv/main", "/usr/bin/node") == [("/srv/main.js", 1)]
    assert _lines(root, "/srv/app", "/usr/bin/node") == []
