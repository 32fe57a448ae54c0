"""Looks up user names in the host's database without waiting long for it.

Local users are in a file. All others come from the services that nsswitch.conf(5) names, such
as a directory server. Such a service may take any time to answer.
"""

from __future__ import annotations

import os
import pwd
import queue
import signal
import threading
from pathlib import Path
from typing import Optional

from analyzer.lru import Cache
from analyzer.recorder.callers import User
from analyzer.text import decode_text

LOCAL_USERS = Path("/etc/passwd")
# Names looked up, and for how long a name, or that there is none, is believed.
USERS_MAX = 1024
USER_KEEP_S = 60.0
# How long a request waits for a name. A directory on the network that is well has answered, and
# of what comes in meanwhile the ring holds several times as much.
WAIT_S = 0.1
# Ids that are asked for at a time; what comes on top is asked for when it is met again.
ASKED_MAX = 64


class UserNames:
    """Name user ids. One that cannot be named in time has no name until it can."""

    def __init__(self) -> None:
        self._known: Cache[int, str] = Cache(USERS_MAX, USER_KEEP_S)  # "" is: has no name
        self._asked: set[int] = set()
        self._questions: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None

    def user(self, uid: int, now: float) -> User:
        """Return the user of an id; ``now`` in seconds, monotonic."""
        self._take_answers(now)
        name = self._known.get(uid, now)
        if name is None:
            name = _maybe_local(uid)
            if name is not None:
                self._known.put(uid, name, now)
            else:
                self._ask(uid, now)
                # Where there is no answer yet, what it was called last.
                name = self._known.maybe_old(uid)
        return User(uid, name or None)

    def is_asking(self, uid: int) -> bool:
        """Tell whether the name of this id may yet come."""
        return uid in self._asked

    def _ask(self, uid: int, now: float) -> None:
        if uid not in self._asked and (len(self._asked) >= ASKED_MAX or not self._has_thread()):
            return
        # Whoever keeps others waiting is not waited for again and again.
        is_idle = not self._asked
        if uid not in self._asked:
            self._asked.add(uid)
            self._questions.put(uid)
        if is_idle:
            self._take_answers(now, WAIT_S)

    def _take_answers(self, now: float, wait_s: float = 0.0) -> None:
        try:
            while self._asked:
                uid, name = (
                    self._answers.get(timeout=wait_s) if wait_s else self._answers.get(False)
                )
                self._asked.discard(uid)
                self._known.put(uid, name, now)
        except queue.Empty:
            pass

    def _has_thread(self) -> bool:
        """Tell whether there is somebody to ask; started only where it is needed."""
        if self._thread is None:
            # A daemon: the end does not wait for a directory either.
            thread = threading.Thread(target=self._look_up, name="users", daemon=True)
            # Signals are the main thread's: they end its poll(2).
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                thread.start()
            except RuntimeError:  # no more tasks, for now
                return False
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._thread = thread
        return True

    def _look_up(self) -> None:
        while True:
            uid = self._questions.get()
            try:
                name = decode_text(os.fsencode(pwd.getpwuid(uid).pw_name))
            except (KeyError, OverflowError, OSError):
                name = ""
            self._answers.put((uid, name))


def _maybe_local(uid: int) -> Optional[str]:
    """Return the name of a user of this host itself; None where it has none."""
    wanted = str(uid).encode()
    try:
        with LOCAL_USERS.open("rb") as lines:
            for line in lines:
                # name:password:uid:...; + and - begin entries that stand for others'.
                fields = line.split(b":", 3)
                if fields[2:3] == [wanted] and fields[0][:1] not in (b"", b"+", b"-", b"#"):
                    return decode_text(fields[0])
    except OSError:
        pass
    return None
