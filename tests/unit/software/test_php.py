"""The packages of a PHP process are those that Composer installed for its project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.software import php
from tests.unit.software.programs import ask, look, make_tree

SDK = {"name": "aws/aws-sdk-php", "version": "v3.133.0"}
BACKUP = {"name": "acme/backup", "version": "1.2.0", "require": {"aws/aws-sdk-php": "^3.100"}}
LARAVEL = {"name": "laravel/framework", "version": "v8.1.0"}
PACKAGES = [BACKUP, SDK, LARAVEL]
INSTALLED = json.dumps({"packages": PACKAGES, "dev": True})
OLD_INSTALLED = json.dumps(PACKAGES)  # of Composer 1
LOCK = json.dumps({"packages": PACKAGES[:2], "packages-dev": PACKAGES[2:]})
TABLE = """<?php return array('versions' => array(
        'aws/aws-sdk-php' => array(
            'pretty_version' => '3.133.0',
"""
JSON = "srv/app/vendor/composer/installed.json"
BY = " < acme/backup 1.2.0"
CLASS = "<?php\nnamespace Aws;\nclass Sdk\n{\n    const VERSION = '3.20.0';\n"


@pytest.mark.parametrize(
    ("files", "right"),
    [
        ({JSON: INSTALLED, "srv/app/vendor/aws/aws-sdk-php/": ""},
         f"3.133.0 in /srv/app/vendor/aws/aws-sdk-php{BY}"),
        ({JSON: OLD_INSTALLED}, f"3.133.0 in /{JSON}{BY}"),
        ({"srv/app/composer.lock": LOCK}, f"3.133.0 in /srv/app/composer.lock{BY}"),
        ({JSON: "[" * 100000, "srv/app/vendor/composer/installed.php": TABLE},
         "3.133.0 in /srv/app/vendor/composer/installed.php"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("script", "cwd", "executable"),
    [
        ("/srv/app/public/index.php", "/", "/usr/bin/php8.2"),
        ("", "/srv/app/public", "/usr/sbin/php-fpm8.2"),
        ("/usr/bin/job", "/", "/usr/bin/php"),
    ],
)
def test_packages_are_found_upwards(
    tmp_path: Path, files: dict[str, str], right: str, script: str, cwd: str, executable: str
) -> None:
    """From the script, what its link leads to, or where a server's process was last."""
    make_tree(tmp_path, {**files, "srv/app/public/index.php": "<?php",
                         "usr/bin/job": "-> /srv/app/public/index.php"})  # fmt: skip
    found = ask(php, tmp_path, executable, "php", script=script, cwd=cwd)
    assert found == [f"aws/aws-sdk-php {right}"]


def test_plugins_and_documents_of_a_server_are_looked_into(tmp_path: Path) -> None:
    """A server's process that serves nobody names no script."""
    plugin = "var/www/html/wp-content/plugins/backup/vendor/composer/installed.json"
    make_tree(tmp_path, {plugin: INSTALLED})
    found = ask(php, tmp_path, "/usr/sbin/php-fpm7.4", "php-fpm: pool www")
    assert found == [f"aws/aws-sdk-php 3.133.0 in /{plugin}{BY}"]
    mapped = ("/usr/lib/apache2/modules/libphp7.4.so",)
    assert ask(php, tmp_path, "/usr/sbin/apache2", "apache2", open_files=mapped) == found
    assert ask(php, tmp_path, "/usr/sbin/apache2", "apache2") == []


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("/srv/app/artisan", "laravel/framework 8.1.0"),
        ("/srv/app/vendor/bin/backup", "acme/backup 1.2.0"),
        ("/srv/app/jobs/other.php", ""),
    ],
)
def test_the_package_of_a_program_is_named(tmp_path: Path, script: str, name: str) -> None:
    """By its place, or by the name that frameworks give it."""
    make_tree(tmp_path, {
        JSON: INSTALLED, "srv/app/artisan": "<?php", "srv/app/jobs/other.php": "<?php",
        "srv/app/vendor/acme/backup/bin/run": "<?php",
        "srv/app/vendor/bin/backup": "-> ../acme/backup/bin/run",
    })  # fmt: skip
    found = ask(php, tmp_path, "/usr/bin/php8.2", "php", script, script=script)
    assert found[1:] == ([f"runs {name} by {script}"] if name else [])


@pytest.mark.parametrize("before", [0, 100, (1 << 20) - 30])
@pytest.mark.parametrize(
    ("text", "right"),
    [
        (json.dumps([SDK], indent=4), "3.133.0"),
        (json.dumps([SDK]).replace("/", "\\/"), "3.133.0"),
        (f"aws-sdk-php/src/Sdk.php{CLASS}", "3.20.0"),
        (f"Aws/Sdk.php{CLASS}", "3.20.0"),
        (CLASS, ""),
    ],
)
def test_an_archive_tells_its_packages(tmp_path: Path, before: int, text: str, right: str) -> None:
    """Its files are stored one behind the other, mostly as they are."""
    path = "/srv/app.phar"
    make_tree(tmp_path, {path: "<?php __HALT_COMPILER(); ?>\n" + "x" * before + text})
    place = f"{path}!/vendor/aws/aws-sdk-php"
    found = [f"aws/aws-sdk-php {right} in {place}"] if right else []
    assert look(php, tmp_path, path) == found
    assert ask(php, tmp_path, "/usr/bin/php8.2", "php", path, script=path) == found


def test_a_file_tells_its_package(tmp_path: Path) -> None:
    """For a scan: each installation once, and a copy that Composer does not know."""
    make_tree(tmp_path, {JSON: INSTALLED, "srv/app/composer.lock": LOCK, "x/composer.lock": LOCK,
                         "opt/lib/Aws/Sdk.php": CLASS,
                         "srv/app/vendor/aws/aws-sdk-php/src/Sdk.php": CLASS})  # fmt: skip
    place = "/srv/app/vendor/aws/aws-sdk-php"
    assert look(php, tmp_path, f"/{JSON}") == [f"aws/aws-sdk-php 3.133.0 in {place}{BY}"]
    assert look(php, tmp_path, "/srv/app/composer.lock") == []
    assert look(php, tmp_path, f"{place}/src/Sdk.php") == []
    assert look(php, tmp_path, "/x/composer.lock") == [
        f"aws/aws-sdk-php 3.133.0 in /x/composer.lock{BY}"
    ]
    assert look(php, tmp_path, "/opt/lib/Aws/Sdk.php") == ["aws/aws-sdk-php 3.20.0 in /opt/lib/Aws"]
    assert not php.is_wanted("/srv/app/composer.json")
    assert not php.is_wanted("/srv/app/src/Sdk.php")
