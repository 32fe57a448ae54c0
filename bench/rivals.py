"""Other tools that could watch for the same sends, run beside the probe for comparison."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from analyzer.lab.child_setup import tied_to_caller
from analyzer.lab.namespace import LabNamespace
from bench.figure import CannotMeasureError

_END_DEADLINE_S = 60

# The probe's own filter and the facts it reads, but for the payload, which bpftrace could
# only print as a string. The numbers are in network byte order: port 80, 169.254.169.254,
# ::ffff:169.254.169.254 and fd00:ec2::254.
_IF_IMDS = """
  if ($sk->__sk_common.skc_dport == 0x5000) {
    if (($sk->__sk_common.skc_family == 2 && $sk->__sk_common.skc_daddr == 0xfea9fea9) ||
        ($sk->__sk_common.skc_family == 10 &&
         (($sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3] == 0xfea9fea9 &&
           $sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2] == 0xffff0000) ||
          ($sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0] == 0xc20e00fd &&
           $sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3] == 0x54020000)))) {
      $leader = ((struct task_struct *)curtask)->group_leader;
      $parent = $leader->real_parent->group_leader;
      $above = $parent->real_parent->group_leader;
      printf("%llu %d %d %d %s %llu %llu %s <- %d %s <- %d %s\\n", nsecs, pid, tid, uid, comm,
        cgroup, $leader->start_time, str($leader->mm->arg_start), $parent->tgid, $parent->comm,
        $above->tgid, $above->comm);
    }
  }
"""
_SYSCALL_TRACEPOINTS = ", ".join(
    f"tracepoint:syscalls:sys_enter_{name}" for name in ("write", "sendto", "sendmsg")
)
_SOCK_OF_FD = """
  $table = ((struct task_struct *)curtask)->files->fdt;
  $file = (struct file *)*(uint64 *)((uint64)$table->fd + 8 * (uint64)args->fd);
  $sk = ((struct socket *)$file->private_data)->sk;
"""
BPFTRACE = {
    "fentry": f"kfunc:tcp_sendmsg {{ $sk = args->sk; {_IF_IMDS} }}",
    "kprobe": f"kprobe:tcp_sendmsg {{ $sk = (struct sock *)arg0; {_IF_IMDS} }}",
    "tracepoint": f"{_SYSCALL_TRACEPOINTS} {{ {_SOCK_OF_FD} {_IF_IMDS} }}",
}
# In a mount namespace of its own, as tracefs is not mounted everywhere and bpftrace needs it.
_WITH_TRACEFS = (
    "[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; "
    'exec bpftrace -e "$1"'
)
TCPDUMP_FILTER = "tcp dst port 80 and (dst host 169.254.169.254 or dst host fd00:ec2::254)"


@contextlib.contextmanager
def open_bpftrace(attach: str, messages: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start bpftrace with the probe's filter on the same hook; it attaches a while later."""
    _require("bpftrace")
    with messages.open("wb") as said:
        child = subprocess.Popen(
            [
                *("unshare", "--mount", "--propagation", "private"),
                *("sh", "-c", _WITH_TRACEFS, "sh", BPFTRACE[attach]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            preexec_fn=tied_to_caller(),  # noqa: PLW1509 - two system calls, no lock
        )
    with _ended(child):
        yield child


@contextlib.contextmanager
def open_tcpdump(namespace: LabNamespace) -> Iterator[None]:
    """Run tcpdump with the same filter on the namespace's loopback device."""
    _require("tcpdump")
    child = namespace.popen(
        ["tcpdump", "-i", "lo", "-n", "-w", "/dev/null", TCPDUMP_FILTER], stderr=subprocess.PIPE
    )
    assert child.stderr is not None  # noqa: S101 - for mypy: it is a pipe
    with _ended(child), child.stderr:
        for line in child.stderr:
            if b"listening on" in line:
                break
        else:
            raise CannotMeasureError("tcpdump ended before it listened")
        yield


@contextlib.contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(_END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise CannotMeasureError(f"{program} is not installed. Run: apt-get install {program}")
