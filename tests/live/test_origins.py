"""Whose call it is, where socket, identity or program are not the usual ones."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import psutil

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.paths.answers import Answers, read_answer
from tests.live.paths.records import TOKEN_FIELD, V1, V2, Log, judged, of, port_of, request
from tests.live.paths.ways import Program, Sent
from tests.live.watch import Line, Watch, eventually, new_marker


def _sent_by(watch: Watch, program: Program, way: str) -> tuple[Line, Sent]:
    """Have the program send on our connected socket; returns the record."""
    marker = new_marker()
    with watch.connect() as client:
        sent = program.send(way, client, request(marker))
        assert read_answer(client).startswith(b"HTTP/1.1 404")
    line = watch.one(marker)
    assert judged(line) == V1
    assert line["imds"]["outcome"] == "not_found"
    return line, sent


def test_a_child_that_sends_on_its_parents_socket_is_named(watch: Watch, program: Program) -> None:
    """After a fork it is the child's call, though the parent opened the connection."""
    line, sent = _sent_by(watch, program, "fork")
    process = line["process"]
    assert process["pid"] == int(sent.said)
    assert process["ancestors"][0]["pid"] == sent.pid
    assert process["ancestors"][1]["pid"] == os.getpid()


def test_a_request_names_all_that_sent_it(watch: Watch, program: Program) -> None:
    """The parent sends the first half and its child the second: the child completed it."""
    line, sent = _sent_by(watch, program, "fork in halves")
    assert line["process"]["pid"] == int(sent.said)
    assert [each["pid"] for each in line["process"]["others"]] == [sent.pid]


def test_a_process_that_was_passed_the_socket_is_named(watch: Watch, program: Program) -> None:
    """Over a unix socket a connection changes hands; who sends on it is the caller."""
    marker = new_marker()
    ours, theirs = socket.socketpair()
    with watch.connect() as client, ours, theirs:
        socket.send_fds(ours, [b"x"], [client.fileno()])
        sent = program.send("passed socket", theirs, request(marker))
        assert read_answer(client).startswith(b"HTTP/1.1 404")
    line = watch.one(marker)
    assert line["process"]["pid"] == sent.pid
    assert line["process"]["name"] == "send"


@contextlib.contextmanager
def _in_memory(program: Program, name: str) -> Iterator[int]:
    """Copy the program into memory that every user may run; yields its descriptor."""
    descriptor = os.memfd_create(name)
    try:
        os.write(descriptor, program.path.read_bytes())
        yield descriptor
    finally:
        os.close(descriptor)


class _Client:
    """The compiled client: waits to be told, asks once, stays until it is let go."""

    def __init__(self, watch: Watch, argv: list[str], **options: Any) -> None:
        self._watch = watch
        self.marker = new_marker()
        target = f"/latest/meta-data/{self.marker}"
        self.process = subprocess.Popen(
            watch.namespace.command([*argv, "get", IMDS_IPV4, target]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **options,
        )

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_error: object) -> None:
        with self.process as process:
            process.kill()

    def ask(self) -> Line:
        """Let it ask; returns the record, written while the client is alive."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin
        assert stdout
        stdin.write(b"x")
        stdin.flush()
        assert stdout.readline() == b"answered\n"
        (line,) = eventually("it is recorded", lambda: self._watch.requests(self.marker))
        assert judged(line) == V1
        return dict(line)

    def only_child(self) -> int:
        """Return the pid of the one process that the started one has started."""

        def look() -> Optional[int]:
            children = psutil.Process(self.process.pid).children()
            return children[0].pid if children else None

        return int(eventually("it has a child", look))


def test_a_call_from_another_pid_namespace_has_the_hosts_numbers(
    watch: Watch, program: Program
) -> None:
    """In its own namespace it is 1; the record has the pid by which the host knows it."""
    argv = ["unshare", "--pid", "--fork", "--kill-child", str(program.path)]
    with _Client(watch, argv) as client:
        pid = client.only_child()
        process = client.ask()["process"]
    assert process["pid"] == pid
    assert process["executable"] == str(program.path)
    assert [each["pid"] for each in process["ancestors"][:2]] == [client.process.pid, os.getpid()]


def test_a_call_from_another_user_namespace_has_the_hosts_user(
    watch: Watch, program: Program
) -> None:
    """Where nobody is root inside, the record says nobody."""
    nobody = pwd.getpwnam("nobody")
    drop = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    unshare = ["unshare", "--user", "--map-root-user"]
    with contextlib.ExitStack() as undo:
        # pytest's directories are for root only.
        descriptor = undo.enter_context(_in_memory(program, "send"))
        argv = [*drop, *unshare, f"/proc/self/fd/{descriptor}"]
        client = undo.enter_context(_Client(watch, argv, pass_fds=[descriptor]))
        process = client.ask()["process"]
        inside = Path(f"/proc/{client.process.pid}/uid_map").read_text().split()
    assert inside == ["0", str(nobody.pw_uid), "1"]
    assert process["user"] == {"id": str(nobody.pw_uid), "name": "nobody"}


def test_a_call_from_another_network_namespace_is_its_own_connection(watch: Watch) -> None:
    """Two namespaces have the same addresses and ports at the same time: nothing is mixed up."""
    log = Log(watch)
    with LabNamespace() as alone, alone.socket() as listener, alone.socket() as other:
        listener.bind((IMDS_IPV4, 80))
        with watch.connect() as client, Answers(listener):
            other.bind((IMDS_IPV4, port_of(client)))
            other.connect((IMDS_IPV4, 80))
            first, second = request(new_marker(), TOKEN_FIELD), request(new_marker())
            client.sendall(first[:60])
            other.sendall(second[:60])
            client.sendall(first[60:])
            read_answer(client)
            other.sendall(second[60:])
            read_answer(other)
            port = port_of(client)
    found = of(log.settled(), port)
    assert [judged(line) for line in found] == [V2, V1]
    assert [line["http"]["response"]["status_code"] for line in found] == [401, 404]


def test_a_setuid_program_has_its_effective_user(
    watch: Watch, program: Program, tmp_path: Path
) -> None:
    """Root starts a program of nobody's: what it may do, and what is recorded, is nobody's."""
    nobody = pwd.getpwnam("nobody")
    path = tmp_path / "setuid"
    shutil.copy(program.path, path)
    os.chown(path, nobody.pw_uid, nobody.pw_gid)
    path.chmod(0o4755)
    with _Client(watch, [str(path)]) as client:
        process = client.ask()["process"]
        assert psutil.Process(client.process.pid).uids().real == 0
    assert process["user"] == {"id": str(nobody.pw_uid), "name": "nobody"}
    assert process["executable"] == str(path)


def test_a_program_that_was_deleted_keeps_its_path(
    watch: Watch, program: Program, tmp_path: Path
) -> None:
    """Who deletes their program is named all the same."""
    path = tmp_path / "gone"
    shutil.copy(program.path, path)
    with _Client(watch, [str(path)]) as client:
        eventually("it runs", lambda: psutil.Process(client.process.pid).name() == "gone")
        path.unlink()
        process = client.ask()["process"]
    assert process["pid"] == client.process.pid
    assert process["name"] == "gone"
    assert process["executable"] == str(path)
    assert process["args"][0] == str(path)


def test_a_program_in_memory_is_shown_as_such(watch: Watch, program: Program) -> None:
    """A program without a file has the name that its memory was given."""
    with _in_memory(program, "sneaky") as descriptor:
        argv = [f"/proc/self/fd/{descriptor}"]
        with _Client(watch, argv, pass_fds=[descriptor]) as client:
            process = client.ask()["process"]
    assert process["pid"] == client.process.pid
    assert process["executable"] == "/memfd:sneaky"
    assert process["args"][0] == argv[0]
