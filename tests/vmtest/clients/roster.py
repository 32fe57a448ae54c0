"""The clients: how each is got and run, and what it is known to send.

In ``argv``, ``version`` and ``variables``, ``{env}`` stands for the client's environment,
``{programs}`` for our own programs and ``{imds}`` for where IMDS is.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from tests.vmtest.clients.environments import (
    Environment,
    GoProgram,
    JavaClasses,
    NpmPackages,
    PipPackages,
    UnpackedDebian,
)
from tests.vmtest.clients.expectations import (
    BOTH_WAYS,
    FALLS_BACK,
    NEVER_FALLS_BACK,
    PROCESS_PER_CALL,
    V1_ONLY,
    Expectation,
)


class Client(NamedTuple):
    """One client. ``caller`` is the name that the kernel has for the process that sends.

    ``is_child`` says that it is not the process we start, but a child of that. ``packages``
    are Debian's, ``version`` a command that tells it and fails where the client is not usable.
    """

    name: str
    argv: tuple[str, ...]
    version: tuple[str, ...]
    caller: str
    expectation: Expectation
    packages: tuple[str, ...] = ()
    environment: Optional[Environment] = None
    is_child: bool = False
    variables: tuple[tuple[str, str], ...] = ()


def _python(
    name: str,
    module: str,
    program: str,
    environment: PipPackages,
    sends: Expectation,
    packages: tuple[str, ...] = (),
) -> Client:
    python = "{env}/venv/bin/python"
    version = (python, "-c", f"import {module}; print({module}.__version__)")
    return Client(
        name, (python, "{programs}/" + program), version, "python", sends, packages, environment
    )


def _javascript_sdk(name: str, package: str, program: str, sends: Expectation) -> Client:
    module = package.rsplit("@", 1)[0]
    version = f"console.log(require('{module}/package.json').version)"
    return Client(
        name,
        ("node", "{programs}/" + program),
        ("node", "-e", version),
        "node",
        sends,
        ("nodejs", "npm"),
        NpmPackages((package,)),
        variables=(
            ("NODE_PATH", "{env}/node_modules"),
            ("AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE", "1"),
        ),
    )


def _java(name: str, main: str) -> Client:
    version = ("java", "-version")
    classes = JavaClasses(f"{main}.java")
    # One compiler: the programs end before the second would be of use.
    argv = ("java", "-XX:TieredStopAtLevel=1", "-cp", "{env}", main)
    return Client(name, argv, version, "java", BOTH_WAYS, ("default-jdk-headless",), classes)


def _script(name: str, interpreter: str, program: str, version: str, *packages: str) -> Client:
    argv = (interpreter, "{programs}/" + program)
    flag = "-r" if interpreter == "php" else "-e"
    return Client(name, argv, (interpreter, flag, version), interpreter, BOTH_WAYS, packages)


_OLD_PYTHON = ("pypy3", "pypy3-venv")
# What cloud-init's code for EC2 imports; Debian's package depends on these.
_CLOUD_INIT_NEEDS = tuple(
    f"python3-{each}"
    for each in ("configobj", "jinja2", "jsonpatch", "jsonschema", "netifaces", "requests", "yaml")
)
_CLOUD_INIT_VERSION = (
    "import cloudinit.sources.DataSourceEc2, cloudinit.version as its; print(its.version_string())"
)

CLIENTS = (
    Client(
        "curl",
        ("sh", "{programs}/curl.sh"),
        ("curl", "--version"),
        "curl",
        PROCESS_PER_CALL,
        ("curl",),
        is_child=True,
    ),
    Client(
        "wget",
        ("sh", "{programs}/wget.sh"),
        ("wget", "--version"),
        "wget",
        PROCESS_PER_CALL,
        ("wget",),
        is_child=True,
    ),
    Client(
        "busybox wget",
        ("busybox", "wget", "-q", "-O", "-", "{imds}/latest/meta-data/instance-id"),
        ("busybox",),
        "busybox",
        V1_ONLY,
        ("busybox-static",),
    ),
    _python(
        "botocore",
        "botocore",
        "botocore_credentials.py",
        PipPackages(("botocore==1.44.5",)),
        FALLS_BACK,
    ),
    _python(
        "botocore 1.12",
        "botocore",
        "botocore_credentials.py",
        PipPackages(("botocore==1.12.253",), is_old=True),
        V1_ONLY,
        _OLD_PYTHON,
    ),
    _python(
        "boto 2",
        "boto",
        "boto_credentials.py",
        PipPackages(("boto==2.49.0",), is_old=True),
        V1_ONLY,
        _OLD_PYTHON,
    ),
    Client(
        "AWS CLI",
        ("aws", "configure", "list"),
        ("aws", "--version"),
        "aws",
        FALLS_BACK,
        ("awscli",),
    ),
    # AWS names 2.722.0 as the first that needs no v1; the token for credentials came with 2.575.0.
    _javascript_sdk("JavaScript SDK 2.573", "aws-sdk@2.573.0", "aws_sdk_v2.js", V1_ONLY),
    _javascript_sdk("JavaScript SDK 2", "aws-sdk@2.1693.0", "aws_sdk_v2.js", FALLS_BACK),
    # The last line that runs on the Node of Debian 12.
    _javascript_sdk(
        "JavaScript SDK 3", "@aws-sdk/credential-providers@3.956.0", "aws_sdk_v3.js", FALLS_BACK
    ),
    _script("Node http", "node", "node_http.js", "console.log(process.version)", "nodejs"),
    _script("Node fetch", "node", "node_fetch.js", "console.log(process.version)", "nodejs"),
    _java("Java HttpURLConnection", "UrlConnection"),
    _java("Java HttpClient", "NetHttpClient"),
    _script("Ruby net/http", "ruby", "net_http.rb", "puts RUBY_VERSION", "ruby"),
    _script("PHP stream", "php", "php_stream.php", "echo PHP_VERSION;", "php-cli"),
    _script(
        "PHP curl",
        "php",
        "php_curl.php",
        "echo curl_version()['version'], PHP_EOL;",
        "php-cli",
        "php-curl",
    ),
    _script(
        "Perl HTTP::Tiny",
        "perl",
        "http_tiny.pl",
        "use HTTP::Tiny; print HTTP::Tiny->VERSION",
        "perl",
    ),
    Client(
        "Go net/http",
        ("{env}/net_http",),
        ("{env}/net_http", "version"),
        "net_http",
        BOTH_WAYS,
        ("golang-go",),
        GoProgram("net_http.go"),
    ),
    Client(
        "cloud-init EC2",
        ("/usr/bin/python3", "{programs}/cloud_init.py"),
        (
            "/usr/bin/python3",
            "-c",
            _CLOUD_INIT_VERSION,
        ),
        "python3",
        NEVER_FALLS_BACK,
        _CLOUD_INIT_NEEDS,
        UnpackedDebian("cloud-init"),
        variables=(("PYTHONPATH", "{env}/usr/lib/python3/dist-packages"),),
    ),
)


def debian_packages() -> tuple[str, ...]:
    """Return all Debian packages that the clients need, for the set-up script."""
    return tuple(sorted({package for client in CLIENTS for package in client.packages}))
