"""Bounds the time spent on masking, for each user and for all.

Arguments that are made to be hard to look through cost milliseconds. A process with other ones
is quickly started. When a user's time is used up, the log leaves out the arguments of that
user's new processes. Other users' processes keep theirs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Optional

from analyzer.lru import Lru

# Parts of one CPU, and how much of it can be saved up: some hundred ordinary processes cost
# 0.1 s, and a burst of twenty times as many is still told in full.
USER_SHARE, USER_SAVED_S = 0.1, 1.0
ALL_SHARE, ALL_SAVED_S = 0.25, 2.0
# Users whose time is kept. One that comes back after so many others has saved up again, which
# is why all together have a share, too.
USERS_MAX = 256
# The host's root can stop the analyzer, and has no reason to be hard to look through. A container's
# has the same number, and is told by its mounts: it has those of the first process only if it is
# the host's.
ROOT = 0
# Where that one may not be looked at, ours are the host's, unless a unit gave us some of our own.
_HOST_MOUNTS = (Path("/proc/1/ns/mnt"), Path("/proc/self/ns/mnt"))
# A user, and for root where its mounts are.
Payer = tuple[int, int]


class _Account:
    """Seconds that can be spent; they come back as time goes on."""

    def __init__(self, share: float, saved_s: float, now_s: float) -> None:
        self._share, self._most_s = share, saved_s
        self._saved_s, self._at_s = saved_s, now_s

    def is_open(self, now_s: float) -> bool:
        """Tell whether there is something left to spend."""
        gained_s = max(0.0, now_s - self._at_s) * self._share
        self._saved_s = min(self._most_s, self._saved_s + gained_s)
        self._at_s = now_s
        return self._saved_s > 0

    def spend(self, spent_s: float) -> None:
        """Take what was spent; it may have been more than there was."""
        self._saved_s -= spent_s


class Budget:
    """Says for whose processes there is time, and takes what was spent on them."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
        host_mounts: Optional[int] = None,
    ) -> None:
        """``clock`` tells seconds that pass, ``spent`` the CPU seconds of this thread.

        ``host_mounts`` is the number of the host's own mount namespace, if it is not to be asked.
        """
        self._clock, self._spent = clock, spent
        self._host_mounts = _host_mounts() if host_mounts is None else host_mounts
        self._all = _Account(ALL_SHARE, ALL_SAVED_S, clock())
        self._users: Lru[Payer, _Account] = Lru(USERS_MAX)

    def begin(self, user_id: int, mounts: int) -> float:
        """Return the time at which work for a user begins; less than 0 where it has none left.

        ``mounts`` is the number of the process's mount namespace; 0 where it is not known.
        """
        if user_id != ROOT or mounts != self._host_mounts:
            now_s = self._clock()
            account = self._account(_payer(user_id, mounts), now_s)
            if not (account.is_open(now_s) and self._all.is_open(now_s)):
                return -1.0
        return self._spent()

    def end(self, user_id: int, mounts: int, began_s: float) -> None:
        """Take what was spent since :meth:`begin`."""
        account = self._users.get(_payer(user_id, mounts))
        if account is not None:
            spent_s = self._spent() - began_s
            account.spend(spent_s)
            self._all.spend(spent_s)

    def _account(self, payer: Payer, now_s: float) -> _Account:
        account = self._users.use(payer)
        if account is None:
            account = _Account(USER_SHARE, USER_SAVED_S, now_s)
            self._users.put(payer, account)
        return account


def _payer(user_id: int, mounts: int) -> Payer:
    """Return who pays: other users than root make namespaces as they like."""
    return user_id, mounts if user_id == ROOT else 0


def _host_mounts() -> int:
    for path in _HOST_MOUNTS:
        try:
            return path.stat().st_ino
        except OSError:
            continue
    return -1  # nobody's
