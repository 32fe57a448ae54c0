"""Who calls in a made-up fleet, how often and how: a few do nearly everything, as on real hosts."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from analyzer.recorder.callers import NamedProcess, User, Workload
from analyzer.recorder.classify import classify
from analyzer.recorder.exchanges import response_of
from analyzer.recorder.records import (
    NO_RESPONSE,
    Classification,
    Hint,
    Outcome,
    Relayed,
    Request,
    Response,
    Token,
)
from analyzer.recorder.token_failures import FALLBACK

# What stands in a template where each host has a value of its own.
CONTAINER_ID = "c0ffee00" * 8
POD_ID = "00000000-0000-4000-8000-00000000cafe"
PID = 4_194_301

ROLE = "/latest/meta-data/iam/security-credentials/"
TOKEN_PATH = "/latest/api/token"


class Call(NamedTuple):
    """One kind of request of a client."""

    weight: float
    request: Request
    verdict: Classification
    response: Optional[Response]
    token_failure: Optional[Response] = None
    through: Optional[str] = None
    is_sent_on: bool = False


class Client(NamedTuple):
    """One program of the fleet. ``is_lasting`` tells a daemon from what starts anew each time.

    ``process`` is None for a caller that was seen in packets, and nobody knows. ``caller`` is what
    stands in the line's ``imds.caller``; None where nothing does, as in old logs.
    """

    weight: float
    process: Optional[NamedProcess]
    ancestors: tuple[NamedProcess, ...]
    service: Optional[str]
    runtime: Optional[str]
    workload: Optional[Workload]
    is_lasting: bool
    calls: tuple[Call, ...]
    caller: object = None
    names: tuple[str, ...] = ()  # of its container, its image and the image's tag


def program(path: str, *args: str, name: str = "", uid: int = 0) -> NamedProcess:
    """Return a process; its name is its file's where none is given."""
    user = User(uid, {0: "root", 1001: "app"}.get(uid))
    return NamedProcess(PID, name or path.rpartition("/")[2], path, args or (path,), False, 1, user)


def ask(
    weight: float,
    path: str,
    agent: Optional[str] = None,
    status: Optional[int] = 200,
    **more: Any,
) -> Call:
    """Return a tokenless GET, or what ``more`` makes of it; status None is an answer not known."""
    request = Request("GET", path, Token.ABSENT, agent, False, frozenset(), None)
    request = request._replace(**more)
    response = None if status is None else NO_RESPONSE if status == 0 else response_of(status)
    return Call(weight, request, classify(request), response)


def token(weight: float, agent: Optional[str] = None, status: int = 200) -> Call:
    """Return a token request."""
    return ask(weight, TOKEN_PATH, agent, status, method="PUT")


def with_token(weight: float, path: str, agent: Optional[str] = None, status: int = 200) -> Call:
    """Return a request of IMDSv2."""
    return ask(weight, path, agent, status, token=Token.PRESENT)


def fallback(weight: float, path: str, agent: Optional[str], outcome: Outcome) -> Call:
    """Return a tokenless call that came after a token request with this outcome."""
    call = ask(weight, path, agent)
    status = {Outcome.REJECTED: 403, Outcome.NO_RESPONSE: None}[outcome]
    return call._replace(
        verdict=call.verdict._replace(reason=FALLBACK), token_failure=Response(outcome, status)
    )


def named(program: str, kind: str, launcher: Optional[str] = None) -> dict[str, str]:
    """Return an ``imds.caller`` as the recorder writes it."""
    started = {} if launcher is None else {"launcher": launcher}
    return {"program": program, **started, "kind": kind, "key": f"{program} {launcher or kind}"}


BOTO = "Boto3/1.34.34 md/Botocore#1.34.34 ua/2.0 os/linux#6.1 lang/python#3.11.2 Botocore/1.34.34"
OLD_BOTO = "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
GO_SDK = "aws-sdk-go-v2/1.24.1 os/linux lang/go#1.21.5 md/GOOS#linux md/GOARCH#amd64 ft/ec2imds"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
INIT = program("/usr/lib/systemd/systemd", "/sbin/init")
CRON = program("/usr/sbin/cron", "/usr/sbin/cron", "-f")
SHELL = program("/usr/bin/dash", "/bin/sh", "-c", "/opt/ops/rotate.sh", name="sh")
SHIM = program("/usr/bin/containerd-shim-runc-v2", "containerd-shim-runc-v2", "-namespace", "k8s")
LOGIN = program("/usr/bin/bash", "-bash", uid=1001)
POD = Workload("kubernetes", "pod", POD_ID)
DEPLOYED = POD._replace(
    namespace="shop", name="orders-7d4b9c6f5d-x2x4z", owner_kind="Deployment", owner="orders",
    cluster="prod-1", labels=("team:shop", "app:orders"),
)  # fmt: skip
SERVICE = Workload("compose", "service", "", "shop", "front")

CLIENTS: tuple[Client, ...] = (
    Client(  # a daemon that does it right, and much of it
        400.0,
        program("/usr/bin/amazon-ssm-agent"),
        (INIT,),
        "amazon-ssm-agent.service",
        None,
        None,
        True,
        (
            token(1, "aws-sdk-go/1.44.260 (go1.20; linux; amd64)"),
            with_token(8, f"{ROLE}web", "aws-sdk-go/1.44.260 (go1.20; linux; amd64)"),
            with_token(1, "/latest/dynamic/instance-identity/document", None),
        ),
        named("/usr/bin/amazon-ssm-agent", "program"),
    ),
    Client(  # an SDK that is too old
        120.0,
        program("/usr/bin/python3.7", "python3", "-u", "/srv/app/worker.py", uid=1001),
        (
            program("/usr/bin/python3.7", "gunicorn: master", "app:app", name="gunicorn", uid=1001),
            INIT,
        ),
        "app.service",
        None,
        None,
        True,
        (
            ask(6, ROLE, OLD_BOTO),
            ask(6, f"{ROLE}web", OLD_BOTO),
            ask(1, "/latest/meta-data/placement/availability-zone", OLD_BOTO, 503),
        ),
        named("/srv/app/worker.py", "script"),
    ),
    Client(  # in a pod, one hop too far for the token's answer
        90.0,
        program("/usr/local/bin/python3.11", "python", "-m", "shop.orders", "--workers=4"),
        (SHIM, INIT),
        f"cri-containerd-{CONTAINER_ID}.scope",
        "containerd",
        DEPLOYED,
        True,
        (
            token(3, BOTO, 0),
            fallback(3, ROLE, BOTO, Outcome.NO_RESPONSE),
            fallback(3, f"{ROLE}node", BOTO, Outcome.NO_RESPONSE),
            ask(1, "/latest/meta-data/instance-id", OLD_BOTO)._replace(through="kube2iam"),
            token(1, BOTO)._replace(through="Envoy, kube2iam"),
        ),
        named("python -m shop.orders", "script"),
        ("orders", "registry.example/shop/orders", "1.4"),
    ),
    Client(  # a script of cron's
        30.0,
        program("/usr/bin/curl", "curl", "-s", "http://169.254.169.254/latest/meta-data/hostname"),
        (program("/usr/bin/bash", "/bin/bash", "/opt/ops/rotate.sh", name="rotate.sh"), CRON, INIT),
        "cron.service",
        None,
        None,
        False,
        (ask(5, "/latest/meta-data/hostname", "curl/7.88.1"), ask(1, "/latest/user-data", None)),
        named("curl", "program", "/opt/ops/rotate.sh"),
    ),
    Client(  # a person at a shell, in a session with a number
        3.0,
        program("/usr/bin/curl", "curl", "http://169.254.169.254/", uid=1001),
        (LOGIN, program("/usr/sbin/sshd", "sshd: app@pts/0"), INIT),
        "session-42.scope",
        None,
        None,
        False,
        (
            ask(3, "/", "curl/7.88.1"),
            ask(1, "/latest/meta-data/nothing", "curl/7.88.1", 404),
            ask(1, ROLE, "curl/7.88.1", 401),
        ),
        named("curl", "person", "-bash"),
    ),
    Client(  # an agent that tries every cloud
        60.0,
        program("/opt/agent/bin/agent", "/opt/agent/bin/agent", "run"),
        (INIT,),
        "agent.service",
        None,
        None,
        True,
        (
            token(2, "Go-http-client/1.1"),
            with_token(5, "/latest/meta-data/instance-id", "Go-http-client/1.1"),
            ask(
                1,
                "/computeMetadata/v1/instance/id?alt=text",
                "Go-http-client/1.1",
                404,
                hints=frozenset({Hint.GOOGLE}),
            ),
            ask(1, "/metadata/instance/compute?api-version=2021-02-01", None, 404),
        ),
    ),
    Client(  # a proxy for pods
        25.0,
        program("/bin/kube2iam", "/bin/kube2iam", "--host-ip=10.0.0.1"),
        (SHIM, INIT),
        f"cri-containerd-{CONTAINER_ID}.scope",
        "containerd",
        POD,
        True,
        (
            ask(4, ROLE, GO_SDK, forwarded=True, relayed=Relayed("1.1 p", "10.0.9.9")),
            ask(0.5, ROLE, FIREFOX, forwarded=True, relayed=Relayed(None, "198.18.0.9")),
            ask(0.5, ROLE, FIREFOX, relayed=Relayed(host="a.example", headers=("cookie",))),
            token(1, GO_SDK, 403),
            # For pods whose own lines are there, too: no calls of its own.
            ask(1, "/latest/meta-data/instance-id", OLD_BOTO)._replace(is_sent_on=True),
            token(1, GO_SDK)._replace(is_sent_on=True),
        ),
        "/bin/kube2iam",  # no object: counts by executable
    ),
    Client(  # a Java program in a plain container
        40.0,
        program("/usr/lib/jvm/java", "java", "-Xmx2g", "-cp", "lib/*", "-jar", "/app/shop.jar"),
        (program("/usr/bin/containerd-shim-runc-v2", "containerd-shim-runc-v2"), INIT),
        f"docker-{CONTAINER_ID}.scope",
        "docker",
        SERVICE,
        True,
        (
            token(1, "aws-sdk-java/2.20.0"),
            with_token(6, f"{ROLE}shop", "aws-sdk-java/2.20.0"),
            fallback(0.3, ROLE, "aws-sdk-java/2.20.0", Outcome.REJECTED),
        ),
        named("/app/shop.jar", "program"),
        ("shop-front-1", "shop"),
    ),
    Client(  # what could not be read
        2.0,
        NamedProcess(PID, "busy", None, None, False, 1, User(1001, "app")),
        (),
        None,
        None,
        None,
        False,
        (
            ask(1, "/", None, None, method=None, target=None, reason="unreadable_payload"),
            ask(1, "/latest/meta-data/", None, None, reason="truncated"),
        ),
        {"program": "busy", "kind": "program", "key": ["busy"]},
    ),
    Client(  # weekly, by a timer with a unit for each run
        0.5,
        program("/usr/bin/wget", "wget", "-q", "-O-", "http://169.254.169.254/latest/meta-data/"),
        (SHELL, program("/usr/bin/perl", "/usr/bin/perl", "-w", "/usr/local/bin/weekly"), INIT),
        "run-r0123456789abcdef0123456789abcdef.service",
        None,
        None,
        False,
        (ask(1, "/latest/meta-data/", "Wget/1.21.3"),),
        named("wget", "program", "/usr/local/bin/weekly"),
    ),
    Client(  # names that attack whoever shows them
        0.2,
        program("/tmp/\x1b[31mred", "/tmp/\x1b[31mred", "<script>alert(1)</script>", "=1+1|x"),  # noqa: S108
        (program("/tmp/a\nb", "a\nb", "\x1f\x1e"), INIT),  # noqa: S108 (a caller's path)
        "a\\x2db@7.service",
        None,
        None,
        False,
        (ask(1, "/\x1b]0;x\x07?<b>", '"><script>\r\n', forwarded=True),),
        named("/tmp/\x1b[31mred", "program", "/tmp/a\nb"),  # noqa: S108 (a caller's path)
    ),
    Client(  # seen in packets, on their way from a guest
        3.0,
        None,
        (),
        None,
        None,
        None,
        False,
        (ask(2, ROLE, OLD_BOTO), ask(1, "/latest/meta-data/", None)),
    ),
)
