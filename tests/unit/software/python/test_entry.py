"""The application that runs is named by what its installer wrote, not by the interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import python
from tests.unit.software.programs import ask, make_tree

SITE = "srv/venv/lib/python3.11/site-packages"
PIP = """#!/srv/venv/bin/python
import re
import sys
from {module} import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
"""
OLD = """#!/srv/venv/bin/python
# EASY-INSTALL-ENTRY-SCRIPT: 'celery==4.4.0','console_scripts','celery'
__requires__ = 'celery==4.4.0'
"""
POINTS = "[console_scripts]\norders-api = shop.api:run\n"
FILES = {
    "srv/venv/pyvenv.cfg": "home = /usr/bin\n",
    f"{SITE}/gunicorn-20.1.0.dist-info/METADATA": "",
    f"{SITE}/celery-4.4.0.dist-info/METADATA": "",
    f"{SITE}/apache_airflow-2.1.0.dist-info/METADATA": "",
    f"{SITE}/Django-3.2.dist-info/METADATA": "",
    f"{SITE}/django/": "",
    f"{SITE}/uWSGI-2.0.20.dist-info/METADATA": "",
    f"{SITE}/orders-0.3.dist-info/entry_points.txt": POINTS,
    "srv/venv/bin/gunicorn": PIP.format(module="gunicorn.app.wsgiapp"),
    "srv/venv/bin/celery": OLD,
    "srv/venv/bin/airflow": PIP.format(module="airflow.__main__"),
    "srv/venv/bin/orders-api": PIP.format(module="shop.api"),
    "srv/manage.py": "#!/usr/bin/env python\nfrom django.core.management import execute\n",
    "srv/own.py": "from celery import Celery\nprint(1)\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("script", "args", "found"),
    [
        ("/srv/venv/bin/gunicorn", (), "gunicorn 20.1.0 by /srv/venv/bin/gunicorn"),
        ("/srv/venv/bin/celery", (), "celery 4.4.0 by /srv/venv/bin/celery"),
        ("/srv/venv/bin/airflow", (), "apache-airflow 2.1.0 by /srv/venv/bin/airflow"),
        ("/srv/venv/bin/orders-api", (), "orders 0.3 by /srv/venv/bin/orders-api"),
        ("/srv/manage.py", (), "django 3.2 by /srv/manage.py"),
        ("/srv/own.py", (), ""),
        (
            "",
            ("-m", "gunicorn.app.wsgiapp"),
            f"gunicorn 20.1.0 by /{SITE}/gunicorn-20.1.0.dist-info",
        ),
        ("", ("-um", "celery"), f"celery 4.4.0 by /{SITE}/celery-4.4.0.dist-info"),
        ("", ("-W", "once", "-m", "http.server"), ""),
        ("", ("-c", "import celery"), ""),
    ],
)
def test_a_script_or_module_is_named(
    tmp_path: Path, script: str, args: tuple[str, ...], found: str
) -> None:
    """By the script's own text, else by the lists of entry points; one's own program is not."""
    make_tree(tmp_path, FILES)
    words = (script,) if script else args
    answer = ask(
        python, tmp_path, "/usr/bin/python3.11", "/srv/venv/bin/python", *words, script=script
    )
    assert answer == ([f"runs {found}"] if found else [])


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("gunicorn: master [shop:app]", f"gunicorn 20.1.0 by /{SITE}/gunicorn-20.1.0.dist-info"),
        ("[celery worker", f"celery 4.4.0 by /{SITE}/celery-4.4.0.dist-info"),
        ("airflow scheduler -- LocalExecutor",
         f"apache-airflow 2.1.0 by /{SITE}/apache_airflow-2.1.0.dist-info"),
        ("uwsgi", f"uwsgi 2.0.20 by /{SITE}/uWSGI-2.0.20.dist-info"),
        ("postgres: writer", ""),
        ("/gunicorn/x", ""),
    ],
)  # fmt: skip
def test_a_title_is_named(tmp_path: Path, title: str, found: str) -> None:
    """Programs that write one over their arguments leave nothing else."""
    make_tree(tmp_path, FILES)
    mapped = (f"/{SITE}/setproctitle.so",)
    answer = ask(python, tmp_path, "/usr/bin/python3.11", title, open_files=mapped)
    assert answer == ([f"runs {found}"] if found else [])


def test_a_program_with_python_within_is_named(tmp_path: Path) -> None:
    """Of uwsgi, the executable is the entry point."""
    make_tree(tmp_path, FILES)
    mapped = ("/usr/lib/libpython3.11.so.1.0", f"/{SITE}/x.so")
    answer = ask(python, tmp_path, "/srv/venv/bin/uwsgi", "uwsgi", open_files=mapped)
    assert answer == ["runs uwsgi 2.0.20 by /srv/venv/bin/uwsgi"]
