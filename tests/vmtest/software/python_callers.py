"""Lists the callers in Python: environments, servers, archives, with old and new libraries."""

from __future__ import annotations

from tests.vmtest.clients.environments import PipPackages
from tests.vmtest.software.callers import Caller
from tests.vmtest.software.installations import Project, pip, venv

_PYTHON = "{env}/venv/bin/python"
_HOLD = (_PYTHON, "{programs}/hold.py")
_OLD = ("pypy3", "pypy3-venv")
_LIBRARIES = ("boto3==1.34.0", "botocore==1.34.0", "s3transfer==0.9.0")
_FOUND = (
    "boto3 1.34.0",
    "botocore 1.34.0 < boto3 1.34.0, s3transfer 0.9.0",
    "s3transfer 0.9.0 < boto3 1.34.0",
)
_OLD_LIBRARIES = ("boto3==1.9.253", "botocore==1.12.253", "s3transfer==0.2.1")
_OLD_FOUND = (
    "boto3 1.9.253",
    "botocore 1.12.253 < boto3 1.9.253, s3transfer 0.2.1",
    "s3transfer 0.2.1 < boto3 1.9.253",
)
# Debian takes the requirements out of the metadata.
_DEBIAN_FOUND = ("boto3 1.26.27", "botocore 1.29.27", "s3transfer 0.6.0")
_WSGI = """import boto3
def app(environ, start_response): return []
"""
_CELERY = """import boto3
from celery import Celery
app = Celery("app", broker="memory://")
"""
_SUPERVISOR = """[supervisord]
logfile=/dev/stdout
logfile_maxbytes=0
pidfile=supervisord.pid
user=root
"""
_PLAYBOOK = """- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - wait_for: {path: never-there, timeout: 600}
"""
_MANAGE = """import os, sys
import boto3
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
_SETTINGS = "SECRET_KEY = 'not one'\nROOT_URLCONF = 'settings'\nurlpatterns = []\nDEBUG = True\n"
_OWN = """[project]
name = "orders"
version = "2.1.0"
dependencies = ["boto3<2"]
[project.scripts]
orders-worker = "orders:main"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["orders"]
package-dir = {"" = "src"}
"""
_OWN_MAIN = """import sys
def main():
    import boto3
    print("ready", flush=True)
    sys.stdin.read()
"""
_HELD = 'import sys\nimport boto3\nprint("ready", flush=True)\nsys.stdin.read()\n'
_TARGET = ("--quiet", "--target", "app")


def _server(*packages: str, file: tuple[str, str]) -> Project:
    return Project((file,), (venv(), pip(*_LIBRARIES, *packages)))


CALLERS = (
    Caller(
        "boto3 of 2019, venv of PyPy",
        (*_HOLD, "boto3"),
        _OLD_FOUND,
        PipPackages(_OLD_LIBRARIES, is_old=True),
        _OLD,
    ),
    Caller("boto3 of 2023, venv", (*_HOLD, "boto3"), _FOUND, PipPackages(_LIBRARIES)),
    Caller(
        "boto 2, venv of PyPy",
        (*_HOLD, "boto"),
        ("boto 2.49.0",),
        PipPackages(("boto==2.49.0",), is_old=True),
        _OLD,
    ),
    Caller(
        "aiobotocore keeps botocore back",
        (*_HOLD, "aiobotocore"),
        ("aiobotocore 2.5.0", "botocore 1.29.76 < aiobotocore 2.5.0"),
        PipPackages(("aiobotocore==2.5.0", "botocore==1.29.76")),
    ),
    Caller(
        "AWS CLI 1 of 2019",
        ("{env}/venv/bin/aws", "configure"),
        (
            "awscli 1.16.263",
            "botocore 1.12.253 < awscli 1.16.263, s3transfer 0.2.1",
            "s3transfer 0.2.1 < awscli 1.16.263",
            "runs awscli 1.16.263",
        ),
        PipPackages(("awscli==1.16.263", "s3transfer==0.2.1"), is_old=True),
        _OLD,
        ready="AWS Access Key ID",
    ),
    Caller(
        "AWS CLI 1 of 2024",
        ("{env}/venv/bin/aws", "configure"),
        (
            "awscli 1.33.0",
            "botocore 1.34.118 < awscli 1.33.0, s3transfer 0.10.1",
            "s3transfer 0.10.1 < awscli 1.33.0",
            "runs awscli 1.33.0",
        ),
        PipPackages(("awscli==1.33.0", "botocore==1.34.118", "s3transfer==0.10.1")),
        ready="AWS Access Key ID",
    ),
    Caller(
        "gunicorn",
        ("{env}/venv/bin/gunicorn", "--bind", "unix:{run}/socket", "app:app"),
        (*_FOUND, "runs gunicorn 20.1.0"),
        _server("gunicorn==20.1.0", "setuptools<80", file=("app.py", _WSGI)),
        ready="Booting worker",
    ),
    Caller(
        "python -m gunicorn",
        (_PYTHON, "-u", "-m", "gunicorn", "--bind", "unix:{run}/socket", "app:app"),
        (*_FOUND, "runs gunicorn 23.0.0"),
        _server("gunicorn==23.0.0", file=("app.py", _WSGI)),
        ready="Booting worker",
    ),
    Caller(
        "gunicorn that sets its title",
        ("{env}/venv/bin/gunicorn", "--bind", "unix:{run}/socket", "app:app"),
        (*_FOUND, "runs gunicorn 23.0.0"),
        _server("gunicorn==23.0.0", "setproctitle==1.3.3", file=("app.py", _WSGI)),
        ready="Booting worker",
    ),
    Caller(
        "celery worker",
        ("{env}/venv/bin/celery", "-A", "app", "worker", "--pool", "solo", "-l", "INFO"),
        (*_FOUND, "runs celery 5.3.6"),
        _server("celery==5.3.6", file=("app.py", _CELERY)),
        ready="ready.",
    ),
    Caller(
        "supervisord",
        ("{env}/venv/bin/supervisord", "-n", "-c", "{env}/supervisord.conf"),
        (*_FOUND, "runs supervisor 4.2.5"),
        _server("supervisor==4.2.5", "setuptools<80", file=("supervisord.conf", _SUPERVISOR)),
        ready="supervisord started",
        cwd="run",
    ),
    Caller(
        "ansible-playbook",
        ("{env}/venv/bin/ansible-playbook", "{env}/play.yml"),
        ("ansible-core 2.15.9", *_FOUND, "runs ansible-core 2.15.9"),
        _server("ansible-core==2.15.9", file=("play.yml", _PLAYBOOK)),
        ready="TASK [wait_for]",
    ),
    Caller(
        "Django's manage.py",
        (_PYTHON, "-u", "manage.py", "runserver", "--noreload", "127.0.0.1:0"),
        (*_FOUND, "runs django 4.2.11"),
        Project(
            (("manage.py", _MANAGE), ("settings.py", _SETTINGS)),
            (venv(), pip(*_LIBRARIES, "django==4.2.11")),
        ),
        ready="Quit the server",
    ),
    Caller(
        "editable project",
        ("{env}/venv/bin/orders-worker",),
        (
            "boto3 1.34.0 < orders 2.1.0",
            *_FOUND[1:],
            "runs orders 2.1.0",
        ),
        Project(
            (("pyproject.toml", _OWN), ("src/orders.py", _OWN_MAIN)),
            (venv(), pip(*_LIBRARIES), pip("--editable", ".")),
        ),
    ),
    Caller(
        "activated venv, python by its bare name",
        ("/bin/sh", "-c", "PATH={env}/venv/bin:$PATH exec python main.py"),
        _FOUND,
        Project((("main.py", _HELD),), (venv(), pip(*_LIBRARIES))),
    ),
    Caller(
        "libraries beside the script (pip --target)",
        (_PYTHON, "{env}/app/main.py"),
        _FOUND,
        Project((("app/main.py", _HELD),), (venv(), pip(*_TARGET, *_LIBRARIES))),
    ),
    Caller(
        "zipapp",
        (_PYTHON, "{env}/app.pyz"),
        ("botocore 1.34.0",),
        Project(
            (("app/__main__.py", _HELD.replace("boto3", "botocore")),),
            (venv(), pip(*_TARGET, "botocore==1.34.0")),
            (("/usr/bin/python3", "-m", "zipapp", "app", "--compress"),),
        ),
    ),
    Caller(
        "pex",
        ("{env}/app.pex",),
        _FOUND,
        Project(
            (("src/main.py", _HELD),),
            (
                venv(),
                pip("pex==2.33.1"),
                ("venv/bin/pex", *_LIBRARIES, "-D", "src", "-m", "main", "-o", "app.pex"),
            ),
        ),
        variables=(("PEX_ROOT", "{run}/pex"),),
        is_shared=True,  # its interpreter is the system's
    ),
    Caller(
        "PyInstaller, one directory",
        ("{env}/dist/main/main",),
        _FOUND,
        Project(
            (("main.py", _HELD),),
            (venv(), pip(*_LIBRARIES, "pyinstaller==6.5.0")),
            (
                ("venv/bin/pyinstaller", "--log-level", "ERROR", "--copy-metadata", "boto3",
                 "--copy-metadata", "botocore", "--copy-metadata", "s3transfer", "main.py"),
            ),
        ),
    ),
    Caller(
        "uwsgi within Python",
        ("{env}/venv/bin/uwsgi", "--socket", "{run}/socket", "--wsgi-file", "{env}/app.py"),
        (*_FOUND, "runs pyuwsgi 2.0.23"),
        _server("pyuwsgi==2.0.23", file=("app.py", _WSGI)),
        ready="spawned uWSGI",
    ),
    Caller(
        "Debian's boto3, venv with the system's packages",
        (*_HOLD, "boto3"),
        _DEBIAN_FOUND,
        Project((), (venv("/usr/bin/python3", "--system-site-packages"),)),
        ("python3-boto3",),
        is_shared=True,
    ),
    Caller(
        "Debian's boto3, the system's Python",
        ("/usr/bin/python3", "{programs}/hold.py", "boto3"),
        _DEBIAN_FOUND,
        packages=("python3-boto3",),
        is_shared=True,
    ),
    Caller(
        "Python without an SDK",
        (*_HOLD, "json"),
        (),
        PipPackages(("requests==2.31.0",)),
    ),
)  # fmt: skip
