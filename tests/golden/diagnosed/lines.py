"""Builds lines of the log, with callers that the one recogniser names."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from analyzer.logline.caller import Identity, identify
from analyzer.logline.keys import Place
from analyzer.logline.recognition import Image

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
BEGAN = NOW - datetime.timedelta(hours=3)
IMDS = "http://169.254.169.254"
ROLE = "/latest/meta-data/iam/security-credentials/"
_UIDS = {
    "root": 0,
    "app": 1001,
    "alice": 1002,
    "ssm-user": 1003,
    "dd-agent": 1004,
    "ec2-user": 1000,
}
_VERSIONS = {"token_request": "v2", "token_header": "v2"}


class Process(NamedTuple):
    """A process: its executable, its arguments, its user, and its name if that is another."""

    executable: str
    args: Sequence[str]
    user: str
    name: str

    @property
    def fields(self) -> dict[str, Any]:
        """What a line has of it."""
        return {
            "name": self.name,
            "executable": self.executable,
            "args": list(self.args),
            "user": {"id": str(_UIDS[self.user]), "name": self.user},
        }


def ran(executable: str, *args: str, user: str = "root", name: str = "") -> Process:
    """Return a process; one argument with spaces is the whole command line."""
    words: Sequence[str] = args or (executable,)
    if len(words) == 1 and not words[0].startswith("\0"):
        words = words[0].split(" ")
    words = [each.lstrip("\0") for each in words]
    return Process(executable, words, user, name or executable.rpartition("/")[2][:15])


def titled(executable: str, title: str, user: str = "root", name: str = "") -> Process:
    """Return a server that put a title in place of its arguments."""
    return ran(executable, "\0" + title, user=user, name=name)


def script(path: str, shell: str = "/usr/bin/bash", user: str = "root") -> Process:
    """Return a script that the kernel started by its `#!` line."""
    return ran(shell, shell, path, user=user, name=path.rpartition("/")[2][:15])


def curl(path: str = ROLE, *options: str, user: str = "root") -> Process:
    """Return curl."""
    return ran("/usr/bin/curl", "curl", "-s", *options, IMDS + path, user=user)


INIT = ran("/usr/lib/systemd/systemd", "/sbin/init", name="systemd")


@dataclass(frozen=True)
class Call:
    """Requests of one kind: the reason as in the log, and what became of them."""

    reason: str = "no_token_header"
    outcome: str = "success"
    count: int = 2
    process: Optional[Process] = None  # another one of the same job
    host: str = "web-1"
    failure: str = ""
    method: str = ""
    path: str = ROLE


V1 = Call()
V2 = Call("token_header", count=3)
TOKEN = Call("token_request", count=3)


@dataclass(frozen=True)
class Caller:
    """A caller: its processes, nearest first, and where it runs."""

    chain: Sequence[Process]
    agent: str = ""
    unit: str = ""
    container: str = ""
    runtime: str = "docker"
    container_name: str = ""
    calls: Sequence[Call] = (V1,)
    started: datetime.datetime = NOW - datetime.timedelta(days=30)

    def lines(self) -> list[dict[str, Any]]:
        """Return its lines."""
        return [self._line(call, n) for call in self.calls for n in range(call.count)]

    def key(self) -> str:
        """Return the key of its first process."""
        return self._identity(self.chain).key

    def _identity(self, chain: Sequence[Process]) -> Identity:
        own, *above = (
            Image(1 if each is INIT else 700 - n, _UIDS[each.user], each.name, each.executable,
                  tuple(each.args))
            for n, each in enumerate(chain)
        )  # fmt: skip
        return identify(own, above, Place(self.unit, self.runtime if self.container else ""))

    def _line(self, call: Call, number: int) -> dict[str, Any]:
        chain = [call.process or self.chain[0], *self.chain[1:]]
        is_token = call.reason == "token_request"
        path = "/latest/api/token" if is_token else call.path
        operation = "token" if path.endswith("/token") else "credentials"
        imds: dict[str, Any] = {
            "version": _VERSIONS.get(call.reason, "v1"),
            "operation": operation,
            "reason": call.reason,
            "provider": "aws",
            "outcome": call.outcome,
            "caller": {
                name: value for name, value in self._identity(chain)._asdict().items() if value
            },
        }
        if call.failure:
            imds["token_request"] = {"outcome": call.failure}
        at = NOW - datetime.timedelta(minutes=30 - number)
        line: dict[str, Any] = {
            "timestamp": _text(at),
            "level": "warning",
            "event": "imds_request",
            "imds": imds,
            "http": {"request": {"method": call.method or ("PUT" if is_token else "GET")}},
            "url": {"path": path},
            "source": {"ip": "10.0.3.7", "port": 41234},
            "destination": {"ip": "169.254.169.254", "port": 80},
            "process": {
                "pid": 701,
                **chain[0].fields,
                "start": _text(self.started),
                "ancestors": [
                    {"pid": 1 if each is INIT else 690 - n, **each.fields}
                    for n, each in enumerate(chain[1:])
                ],
            },
            **host(call.host),
        }
        if self.agent:
            line["user_agent"] = {"original": self.agent}
        if self.container:
            line["container"] = {"id": self.container, "runtime": self.runtime}
            if self.container_name:
                line["container"]["name"] = self.container_name
        if self.unit:
            line["service"] = {"name": self.unit}
        return line


def host(name: str) -> dict[str, Any]:
    """Return what a line has of its host."""
    instance = "i-0123456789abcdef0" if name == "web-1" else "i-0fedcba9876543210"
    return {
        "host": {"name": name, "boot_id": "0b5e8a52-7d3c-4c0e-9f5e-1c2d3e4f5a6b"},
        "cloud": {"instance": {"id": instance}},
        "observer": {"probe": "core/fentry", "version": "0.2.0"},
    }


def started(name: str) -> dict[str, Any]:
    """Return the line with which a log begins."""
    return {"timestamp": _text(BEGAN), "level": "info", "event": "analyzer_started",
            "boot": {"time": _text(BEGAN - datetime.timedelta(days=60))},
            "attached": {"since_boot_s": 5184000.0, "since_start_s": 0.4},
            "library": "libbpf 1.5", **host(name)}  # fmt: skip


def _text(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
