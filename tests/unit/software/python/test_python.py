"""The libraries of a Python process are those of its own environment, in the order of sys.path."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import python
from tests.unit.software.programs import ask, look, make_tree

# Names, versions and requirements as PyPI has them.
BOTO3 = "Name: boto3\nVersion: 1.9.253\nRequires-Dist: botocore (<1.13.0,>=1.12.253)\n"
S3TRANSFER = "Name: s3transfer\nRequires-Dist: botocore (<2.0.0,>=1.12.36)\n"
OTHER = (
    "Name: pandas-tools\nRequires-Dist: BotoCore\n"
    "Requires-Dist: boto3 ; extra == 's3'\n\nRequires-Dist: boto3 is only told of here\n"
)
SITE = "srv/app/venv/lib/python3.11/site-packages"
OLD = {
    "boto3-1.9.253.dist-info/METADATA": BOTO3,
    "boto3/__init__.py": "__version__ = '1.9.253'\n",
    "botocore-1.12.253.dist-info/METADATA": "Name: botocore\n",
    "botocore/__init__.py": "__version__ = '1.12.253'\n",
    "pandas_tools-0.1.dist-info/METADATA": OTHER,
    "s3transfer-0.2.1.dist-info/METADATA": S3TRANSFER,
}
CONFIG = "home = /usr/bin\ninclude-system-site-packages = false\n"
SHARED = CONFIG.replace("false", "True")
SYSTEM = {
    "usr/lib/python3/dist-packages/boto-2.49.0.egg-info/PKG-INFO": "Name: boto\n",
    "usr/lib/python3/dist-packages/boto/": "",
    "usr/lib/python3.11/os.py": "",
    "usr/bin/python3.11": "",
}
FOUND = [
    f"boto3 1.9.253 in /{SITE}/boto3",
    f"botocore 1.12.253 in /{SITE}/botocore < boto3 1.9.253, s3transfer 0.2.1, pandas-tools 0.1",
    f"s3transfer 0.2.1 in /{SITE}/s3transfer-0.2.1.dist-info",
]
LINKS = "# old\nimport os; os.system('x')\n/opt/old\n./botocore-1.2-py2.7.egg\n"
BOTO = "boto 2.49.0 in /usr/lib/python3/dist-packages/boto"


def below(folder: str, files: dict[str, str]) -> dict[str, str]:
    """Return the files below a folder."""
    return {f"{folder}/{name}": text for name, text in files.items()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a system with boto 2, and an application with an environment of its own."""
    venv = {"srv/app/venv/pyvenv.cfg": CONFIG, "srv/app/venv/bin/python": "-> /usr/bin/python3.11"}
    return make_tree(tmp_path, {**SYSTEM, **venv, **below(SITE, OLD)})


@pytest.mark.parametrize(
    ("args", "script", "open_files"),
    [
        (("/srv/app/venv/bin/python", "/srv/main.py"), "/srv/main.py", ()),
        (("venv/bin/python", "main.py"), "/srv/app/main.py", ()),
        # The first argument says nothing: the script's own place, its first line, what is mapped.
        (("worker: idle",), "/srv/app/venv/bin/serve", ()),
        (("python3", "/usr/local/bin/tool"), "/usr/local/bin/tool", ()),
        (("server",), "", (f"/{SITE}/yaml/_yaml.so", "/usr/lib/libpython3.11.so.1.0")),
        (("uwsgi", "--http", ":1", "-H", "/srv/app/venv"), "", ("/usr/lib/libpython3.11.so",)),
        (("uwsgi", "--home=venv", "x"), "", ("/usr/lib/libpython3.11.so",)),
        (("python", "main.py"), "/srv/app/main.py", ()),
        (("python", "jobs/main.py"), "/srv/app/jobs/main.py", ()),
    ],
)
def test_the_environment_is_found(
    tree: Path, args: tuple[str, ...], script: str, open_files: tuple[str, ...]
) -> None:
    """The executable is the system's, whose library is not what the program imports."""
    make_tree(tree, {"usr/local/bin/tool": "#!/srv/app/venv/bin/python\nimport boto3\n"})
    found = ask(
        python, tree, "/usr/bin/python3.11", *args,
        script=script, cwd="/srv/app", open_files=open_files,
    )  # fmt: skip
    assert found == FOUND


def test_the_system_comes_behind_an_environment_that_shares_it(tree: Path) -> None:
    """Only if pyvenv.cfg says so; the user's own folder comes before it."""
    (tree / "srv/app/venv/pyvenv.cfg").write_text(SHARED)
    user = "home/ops/.local/lib/python3.11/site-packages"
    make_tree(tree, {f"{user}/awscli-1.16.263.dist-info/METADATA": "Requires-Dist: boto<2\n"})
    found = ask(python, tree, "/usr/bin/python3.11", "/srv/app/venv/bin/python", home="/home/ops")
    assert found == [
        *FOUND,
        f"awscli 1.16.263 in /{user}/awscli-1.16.263.dist-info",
        f"{BOTO} < awscli 1.16.263",
    ]


def test_the_systems_interpreter_has_the_systems_libraries(tree: Path) -> None:
    """An environment that has another interpreter, or that is another program's, is not its."""
    script = "/srv/app/main.py"
    assert ask(python, tree, "/usr/bin/python3.11", "/usr/bin/python3", script, script=script) == [
        BOTO
    ]
    assert ask(python, tree, "/usr/bin/python3.9", "python", script, script=script) == [BOTO]
    assert ask(python, tree, "/usr/bin/python3.11", "python3", "/opt/x.py", script="/opt/x.py") == [
        BOTO
    ]
    assert ask(python, tree, "/usr/bin/perl", "perl", script, script=script) == []


def test_an_interpreter_of_its_own_prefix_has_that_prefix(tmp_path: Path) -> None:
    """As pyenv, a source build or an agent's bundle has it; lib64 is a link to lib."""
    site = "opt/agent/embedded/lib/python3.9/site-packages"
    make_tree(tmp_path, {**below(site, OLD), "opt/agent/embedded/lib64": "-> lib",
                         "opt/agent/embedded/lib/python3.8/site-packages/boto/__init__.py":
                         "__version__ = '2.1'"})  # fmt: skip
    found = ask(python, tmp_path, "/opt/agent/embedded/bin/python3.9", "agent")
    assert found == [line.replace(SITE, site) for line in FOUND]


def test_what_lies_beside_the_script_is_imported_first(tree: Path) -> None:
    """As in a folder that `pip install --target` filled."""
    make_tree(tree, {"opt/job/botocore-1.4.0.dist-info/METADATA": "", "opt/job/botocore/": ""})
    found = ask(
        python,
        tree,
        "/usr/bin/python3.11",
        "/usr/bin/python3",
        "main.py",
        script="/opt/job/main.py",
    )
    assert found == ["botocore 1.4.0 in /opt/job/botocore", BOTO]
    found = ask(
        python, tree, "/usr/bin/python3.11", "/usr/bin/python3", "-m", "job", cwd="/opt/job"
    )
    assert found == ["botocore 1.4.0 in /opt/job/botocore", BOTO]


def test_links_to_other_folders_are_followed(tree: Path) -> None:
    """`.pth` files name folders; what they import is not run."""
    site = "usr/lib/python3/dist-packages"
    make_tree(tree, {
        f"{site}/easy-install.pth": LINKS,
        f"{site}/botocore-1.2-py2.7.egg/EGG-INFO/PKG-INFO": "",
        "opt/old/boto3.egg-info/PKG-INFO": "Name: boto3\nVersion: 1.0.1\n",
        "opt/old/boto3.egg-info/requires.txt": "botocore>=1.0\n\n[extra]\nboto\n",
    })  # fmt: skip
    found = ask(python, tree, "/usr/bin/python3.11", "/usr/bin/python3")
    assert found == [
        BOTO,
        f"botocore 1.2 in /{site}/botocore-1.2-py2.7.egg/botocore < boto3 1.0.1",
        "boto3 1.0.1 in /opt/old/boto3.egg-info",
    ]


def test_copies_without_metadata_say_their_version_themselves(tree: Path) -> None:
    """Of a folder that was only copied, and of what the AWS CLI brings along."""
    site = "usr/lib/python3/dist-packages"
    make_tree(tree, {
        f"{site}/boto3/__init__.py": '"""AWS."""\n__author__ = "x"\n__version__: str = "1.2.3"\n',
        f"{site}/salt/__init__.py": "version = 1\n",
        f"{site}/awscli-2.9.19.egg-info/PKG-INFO": "",
        f"{site}/awscli/botocore/__init__.py": "__version__ = '2.0.0'\n",
    })  # fmt: skip
    found = ask(python, tree, "/usr/bin/python3.11", "/usr/bin/python3")
    assert found == [
        f"awscli 2.9.19 in /{site}/awscli",
        BOTO,
        f"boto3 1.2.3 in /{site}/boto3",
        f"botocore 2.0.0 in /{site}/awscli/botocore < awscli 2.9.19",
    ]


@pytest.mark.parametrize("current", ["1.9.0", "1.12.253"])
def test_metadata_that_was_left_behind_is_not_believed(tmp_path: Path, current: str) -> None:
    """The module itself says which one it is."""
    site = "usr/lib/python3.11/site-packages"
    make_tree(tmp_path, {
        f"{site}/botocore-1.12.253.dist-info/METADATA": "",
        f"{site}/botocore-1.9.0.dist-info/METADATA": "",
        f"{site}/~otocore-1.1.dist-info/METADATA": "",
        f"{site}/botocore/__init__.py": f"__version__ = '{current}'\n",
    })  # fmt: skip
    found = ask(python, tmp_path, "/usr/bin/python3.11", "/usr/bin/python3")
    assert found == [f"botocore {current} in /{site}/botocore"]


def test_frozen_programs_are_looked_into(tmp_path: Path) -> None:
    """PyInstaller's folder, the one it unpacks into, and AWS's own installer of its CLI."""
    make_tree(tmp_path, {
        **below("opt/tool/_internal", OLD), "opt/tool/_internal/base_library.zip": "",
        **below("tmp/_MEIabc123", OLD),
    })  # fmt: skip
    frozen = ("/opt/tool/_internal/libpython3.11.so.1.0",)
    found = ask(python, tmp_path, "/opt/tool/tool", "/opt/tool/tool", open_files=frozen)
    assert found == [line.replace(SITE, "opt/tool/_internal") for line in FOUND]
    unpacked = ("/tmp/_MEIabc123/libpython3.11.so.1.0",)  # noqa: S108 (where it does so)
    found = ask(python, tmp_path, "/usr/bin/tool", "tool", open_files=unpacked)
    assert found == [line.replace(SITE, "tmp/_MEIabc123") for line in FOUND]
    found = ask(python, tmp_path, "/usr/local/aws-cli/v2/2.13.0/dist/aws", "aws", "s3", "ls")
    assert found == ["awscli 2.13.0 in /usr/local/aws-cli/v2/2.13.0/dist"]


def test_a_pex_that_was_unpacked_has_a_folder_for_each(tmp_path: Path) -> None:
    """Its script is a folder itself."""
    pex = "/root/.pex/unzipped_pexes/abc"
    make_tree(tmp_path, {
        f"{pex}/__main__.py": "",
        f"{pex}/.deps/botocore-1.34.0-py3-none-any.whl/botocore-1.34.0.dist-info/METADATA": "",
        f"{pex}/.deps/botocore-1.34.0-py3-none-any.whl/botocore/": "",
    })  # fmt: skip
    found = ask(python, tmp_path, "/usr/bin/python3.11", "/usr/bin/python3", pex, script=pex)
    assert found == [f"botocore 1.34.0 in {pex}/.deps/botocore-1.34.0-py3-none-any.whl/botocore"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"/{SITE}/botocore-1.12.253.dist-info/METADATA", FOUND[1:2]),
        ("/usr/lib/python3/dist-packages/boto-2.49.0.egg-info/PKG-INFO", [BOTO]),
        (
            "/usr/local/aws-cli/v2/2.13.0/dist/aws",
            ["awscli 2.13.0 in /usr/local/aws-cli/v2/2.13.0/dist"],
        ),
        ("/opt/flat/boto-2.1-py2.7.egg-info", ["boto 2.1 in /opt/flat/boto-2.1-py2.7.egg-info"]),
    ],
)
def test_a_file_tells_its_library(tree: Path, path: str, found: list[str]) -> None:
    """For a scan, which asks for each file on its own."""
    make_tree(tree, {"opt/flat/boto-2.1-py2.7.egg-info": "Name: boto\n"})
    assert look(python, tree, path) == found


@pytest.mark.parametrize(
    "path",
    [
        "/srv/requests-2.1.dist-info/METADATA",
        "/srv/botocore-1.1.dist-info/RECORD",
        "/srv/botocore/__init__.py",
        "/METADATA",
        "/srv/notes.txt",
    ],
)
def test_other_files_are_not_wanted(path: str) -> None:
    """Whoever scans opens no file for nothing."""
    assert not python.is_wanted(path)
