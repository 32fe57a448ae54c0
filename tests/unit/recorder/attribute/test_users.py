"""Names of users, also from a directory that does not answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.recorder.attribute.users import UserNames
from analyzer.recorder.callers import User

UNNAMED_UID = 3_999_999_999
DEADLINE_S = 60.0

# A service of nsswitch.conf(5) as of a directory: user 70001 it names only once the pipe that
# DIRECTORY names was written to.
DIRECTORY = """
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum nss_status _nss_directory_getpwuid_r(uid_t uid, struct passwd *user, char *buffer,
                                          size_t size, int *error)
{
    char byte;
    int fd;
    if (uid != 70001 || size < 16) {
        *error = ENOENT;
        return NSS_STATUS_NOTFOUND;
    }
    fd = open(getenv("DIRECTORY"), O_RDONLY);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        return NSS_STATUS_UNAVAIL;
    close(fd);
    memset(user, 0, sizeof(*user));
    user->pw_name = strcpy(buffer, "alice");
    user->pw_passwd = user->pw_gecos = user->pw_dir = user->pw_shell = buffer + 5;
    user->pw_uid = uid;
    return NSS_STATUS_SUCCESS;
}
"""
# Names a local user and Alice, twice over while the directory hangs, then has it answer.
ASKER = """
import os, sys, time
from analyzer.recorder.attribute import KEEP_NAMELESS_S, Attributor
from analyzer.recorder.attribute.users import USER_KEEP_S, WAIT_S
from analyzer.recorder.source_events import KernelProcess, Snapshot

now = 1.0
attributor = Attributor(lambda: now)
def name(uid, pid):
    began = time.monotonic()
    init = KernelProcess(1, 4194306, 0, b"init")
    snapshot = Snapshot(KernelProcess(1, pid, uid, b"aws"), 1, b"aws", False, (init,), False)
    caller = attributor.attribute(snapshot)
    assert caller.ancestors[0].user.name == "root"
    return caller.process.user.name, time.monotonic() - began

alice, took_s = name(70001, 4194305)
assert alice is None and took_s >= WAIT_S, (alice, took_s)
began = time.monotonic()
assert name(0, 4194307)[0] == "root"
for pid in range(4194308, 4194408):
    assert name(70001, pid)[0] is None
assert time.monotonic() - began < 100 * WAIT_S / 2, "each of them waited"
with open(os.environ["DIRECTORY"], "w") as pipe:
    pipe.write("x")
end = time.monotonic() + 60
while name(70001, 4194305)[0] is None:
    assert time.monotonic() < end
    now += KEEP_NAMELESS_S
    time.sleep(0.01)
assert now < 1 + USER_KEEP_S, "it was not asked for again"
assert name(70001, 4194305)[0] == "alice"
# It hangs again, and what the user was called last is better than no name.
now += 2 * USER_KEEP_S
assert name(70001, 4194305)[0] == "alice"
print("done")
"""


def _settled(names: UserNames, uid: int) -> User:
    """Return the user once it is known whether there is a name."""
    end = time.monotonic() + DEADLINE_S
    user = names.user(uid, 1.0)
    while names.is_asking(uid):
        assert time.monotonic() < end
        user = names.user(uid, 1.0)
    return user


def test_users_are_named_by_the_host_and_may_have_no_name() -> None:
    """An id nobody has is a user without a name."""
    names = UserNames()
    assert names.user(0, 1.0) == User(0, "root")
    assert _settled(names, UNNAMED_UID) == User(UNNAMED_UID, None)
    assert _settled(names, 2**32 - 1) == User(2**32 - 1, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_directory_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """One request waits a moment; local users keep their names, and the others get theirs."""
    compiler = shutil.which("cc") or shutil.which("clang") or "cc is not installed"
    source, pipe, switch = (tmp_path / each for each in ("directory.c", "pipe", "nsswitch.conf"))
    source.write_text(DIRECTORY)
    library = tmp_path / "libnss_directory.so.2"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    os.mkfifo(pipe)
    switch.write_text("passwd: files directory\n")
    in_its_own = 'mount --bind "$1" /etc/nsswitch.conf && exec "$2" -c "$3"'
    done = subprocess.run(
        [
            *("unshare", "--mount", "--propagation=private", "sh", "-c", in_its_own, "sh"),
            *(str(switch), sys.executable, ASKER),
        ],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "DIRECTORY": str(pipe)},
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_S,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
