"""Cases: commands that look at the caller's own environment."""

from __future__ import annotations

from tests.golden.diagnosed.case import CONTAINER, OLD_BOTO, PYTHON, SHIM, Case, by_curl
from tests.golden.diagnosed.lines import INIT, TOKEN, V2, Caller, ran, script

CASES: tuple[Case, ...] = (
    Case(
        "own-environment",
        Caller(
            (
                ran(
                    "/srv/app/venv/bin/python",
                    "/srv/app/venv/bin/python /srv/app/venv-job.py",
                    user="app",
                ),
                INIT,
            ),
            OLD_BOTO,
        ),
        "old_sdk",
        ["sudo -u app /srv/app/venv/bin/python -c 'import botocore; print(botocore.__version__)'"],
        ["python3 -m pip"],
    ),
    Case(
        "environment-behind-a-link",
        Caller(
            (ran(PYTHON, "/srv/shop/venv/bin/python /srv/shop/venv/bin/celery", user="app"), INIT),
            OLD_BOTO,
        ),
        "old_sdk",
        ["sudo -u app /srv/shop/venv/bin/python -c"],
        ["python3 -m pip"],
    ),
    Case(
        "own-container",
        Caller((ran(PYTHON, "python3 /app/in-container.py"), SHIM), OLD_BOTO, container=CONTAINER),
        "old_sdk",
        [f"docker exec {CONTAINER} ", "import botocore"],
        ["pip show"],
    ),
    Case(
        "unknown-container",
        Caller(
            (ran(PYTHON, "python3 /app/unknown-runtime.py"), SHIM),
            OLD_BOTO,
            container=CONTAINER,
            runtime="newone",
        ),
        "old_sdk",
        ["nsenter -t 701 -m "],
        ["pip show"],
    ),
    Case(
        "hostile-interpreter",
        Caller(
            (
                ran(
                    "/srv/$(reboot);x/bin/python3",
                    "\0/srv/$(reboot);x/bin/python3",
                    "/srv/hostile.py",
                    user="app",
                ),
                INIT,
            ),
            OLD_BOTO,
        ),
        "old_sdk",
        ["'/srv/$(reboot);x/bin/python3' -c"],
    ),
    Case(
        "everything-v2",
        by_curl(script("/opt/ops/good.sh"), INIT, calls=(TOKEN, V2)),
        "v2_only",
        ["every call had a token"],
    ),
)
