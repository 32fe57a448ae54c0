"""Creates a network namespace that owns the IMDS addresses and cannot be left behind.

It has no name and no mount: one child process holds it, and the kernel kills that
child when we are gone, for whatever reason.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Optional, Union

from analyzer.errors import LabError
from analyzer.host import privileges
from analyzer.imds import IMDS_ADDRESSES, IMDS_IPV4, IMDS_IPV6
from analyzer.lab.child_setup import join_network, tied_to_caller, unshare_network

_NEEDED_CAPABILITIES = ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")
_NEEDED_PROGRAMS = {"ip": "iproute2 (Fedora, Amazon Linux: iproute)", "nsenter": "util-linux"}
_IPV6_SWITCHES = [
    Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6") for device in ("all", "lo")
]
_SETUP_TIMEOUT_S = 60  # takes milliseconds; an emulated machine is 30 times slower

Stream = Union[int, IO[bytes], None]


class LabNamespace:
    """Own a network namespace with both IMDS addresses on its ``lo``, as a context manager.

    ``ipv6_problem`` says why there is no IPv6 in it, None where there is. Make it in a
    thread that lives as long as it is needed: the kernel ties its processes to that thread.
    Raises LabError where a namespace cannot be made.
    """

    def __init__(self) -> None:
        """Prepare only; entering the context makes the namespace."""
        self.ipv6_problem: Optional[str] = None
        self._programs: dict[str, str] = {}
        self._holder: Optional[subprocess.Popen[bytes]] = None
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> LabNamespace:
        """Make the namespace and give it its addresses."""
        _require_capabilities()
        self._programs = {name: _find_program(name) for name in _NEEDED_PROGRAMS}
        self._holder = _start_holder()
        try:
            self._give_addresses()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Remove the namespace and everything that was started in it."""
        self.close()

    @property
    def pid(self) -> int:
        """The process that holds the namespace."""
        if self._holder is None:
            raise LabError("the lab's namespace is not open. Use it in a with statement")
        return self._holder.pid

    @property
    def path(self) -> str:
        """The namespace's file, for ``nsenter --net=``."""
        return f"/proc/{self.pid}/ns/net"

    @property
    def ipv6(self) -> bool:
        """True if the IPv6 address is in the namespace."""
        return self.ipv6_problem is None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The IMDS addresses that are in the namespace, IPv4 first."""
        return IMDS_ADDRESSES if self.ipv6 else (IMDS_IPV4,)

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return ``argv`` prefixed so that it runs inside the namespace, with the same pid."""
        return [self._programs["nsenter"], f"--net={self.path}", "--", *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        text_in: str = "",
        timeout_s: float = _SETUP_TIMEOUT_S,
        check: bool = True,
        env: Optional[Mapping[str, str]] = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside the namespace to its end, and return what it wrote.

        Raises LabError when ``check`` and its exit code is not 0.
        """
        done = subprocess.run(
            self.command(argv),
            input=text_in,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout_s,
            check=False,
            env=env,
            preexec_fn=tied_to_caller(),
            start_new_session=True,
        )
        if check and done.returncode != 0:
            raise LabError(
                f"`{argv[0]}` in the lab's namespace ended with exit code {done.returncode}: "
                f"{done.stderr.strip() or 'it said nothing'}"
            )
        return done

    def popen(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        env: Optional[Mapping[str, str]] = None,
        cwd: Union[str, Path, None] = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program inside the namespace. Its pid is the program's own.

        It gets a session of its own, so that Ctrl-C reaches only us and we end it in order.
        """
        child = subprocess.Popen(
            self.command(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            preexec_fn=tied_to_caller(),  # noqa: PLW1509 - two system calls, no lock
            start_new_session=True,
        )
        self._children = [each for each in self._children if each.poll() is None]
        self._children.append(child)
        return child

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Open a socket that belongs to the namespace; this process stays where it is.

        It keeps the namespace alive until it is closed. Raises LabError.
        """
        try:
            with self._entered():
                return socket.socket(family, kind)
        except OSError as error:
            raise LabError(f"no socket could be opened in the lab's namespace: {error}") from error

    @contextlib.contextmanager
    def _entered(self) -> Iterator[None]:
        """Be in the namespace with this thread meanwhile. Raises OSError."""
        home_fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            inside_fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                join_network(inside_fd)
            finally:
                os.close(inside_fd)
            try:
                yield
            finally:
                join_network(home_fd)
        finally:
            os.close(home_fd)

    def close(self) -> None:
        """End what was started inside, then the holder; the kernel frees the namespace."""
        for child in self._children:
            if child.poll() is None:
                # The whole group: a shell's own children are not tied to us.
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self._children = []
        holder, self._holder = self._holder, None
        if holder is not None:
            if holder.stdin is not None:
                holder.stdin.close()
            holder.kill()
            holder.wait()

    def _give_addresses(self) -> None:
        ipv4 = f"link set lo up\naddr replace {IMDS_IPV4}/32 dev lo\n"
        # nodad: the address is usable at once, without waiting for duplicate detection.
        ipv6 = f"addr add {IMDS_IPV6}/128 dev lo nodad\n"
        try:
            self._allow_ipv6()
        except OSError:
            self.ipv6_problem = (
                "the kernel has IPv6 turned off (sysctl net.ipv6.conf.*.disable_ipv6)"
            )
            ipv6 = ""
        batch = [self._programs["ip"], "-batch", "-"]
        try:
            self.run(batch, text_in=ipv4 + ipv6)
        except LabError as error:
            self.run(batch, text_in=ipv4)  # raises, if it is not only IPv6 that fails
            self.ipv6_problem = self.ipv6_problem or str(error)

    def _allow_ipv6(self) -> None:
        """Turn it on where it is off; raises OSError where it cannot be."""
        with self._entered():
            # The kernel shows a thread the switches of the namespace that it is in.
            for switch in _IPV6_SWITCHES:
                if switch.read_text().strip() != "0":
                    switch.write_text("0")


def _start_holder() -> subprocess.Popen[bytes]:
    tie = tied_to_caller()

    def enter_new_namespace() -> None:
        tie()
        unshare_network()

    try:
        # Popen returns after exec, so the new namespace is there by then. `cat` does nothing
        # until its input ends, which our death also brings about.
        return subprocess.Popen(
            ["cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            preexec_fn=enter_new_namespace,  # noqa: PLW1509 - three system calls, no lock
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(
            "the kernel did not make a network namespace (unshare CLONE_NEWNET). It needs "
            "CONFIG_NET_NS, and a container must allow it (docker: --privileged). "
            "Run it on the host itself"
        ) from error


def _find_program(name: str) -> str:
    # A root shell without a login shell's PATH often lacks the sbin directories.
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        raise LabError(f"the lab needs the program `{name}`. Install {_NEEDED_PROGRAMS[name]}")
    return found


def _require_capabilities() -> None:
    effective = privileges.effective()
    missing = [each for each in _NEEDED_CAPABILITIES if each not in effective]
    if missing:
        raise LabError(
            f"the lab makes its own network namespace and lacks {' and '.join(missing)} for it. "
            "Run it as root: sudo imds-analyzer lab"
        )
