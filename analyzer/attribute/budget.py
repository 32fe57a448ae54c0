"""Bounds the time that looking for secrets takes, for each user and for all.

Arguments that are made to be hard to look through cost milliseconds, and a process with
other ones is quickly started. Where a user's time is used up, its new processes are told
without their arguments; whoever else runs something is told in full.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Callable

# Parts of one CPU, and how much of it can be saved up: some hundred ordinary processes cost
# 0.1 s, and a burst of twenty times as many is still told in full.
USER_SHARE, USER_SAVED_S = 0.1, 1.0
ALL_SHARE, ALL_SAVED_S = 0.25, 2.0
# Users whose time is kept. One that comes back after so many others has saved up again, which
# is why all together have a share, too.
USERS_MAX = 256
# The host's root can stop the analyzer, and has no reason to be hard to look through.
ROOT = 0


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
    ) -> None:
        """``clock`` tells seconds that pass, ``spent`` the CPU seconds of this thread."""
        self._clock, self._spent = clock, spent
        self._all = _Account(ALL_SHARE, ALL_SAVED_S, clock())
        self._users: OrderedDict[int, _Account] = OrderedDict()

    def begin(self, user_id: int) -> float:
        """Return the time at which work for a user begins; less than 0 where it has none left."""
        if user_id != ROOT:
            now_s = self._clock()
            if not (self._account(user_id, now_s).is_open(now_s) and self._all.is_open(now_s)):
                return -1.0
        return self._spent()

    def end(self, user_id: int, began_s: float) -> None:
        """Take what was spent since :meth:`begin`."""
        account = self._users.get(user_id)
        if account is not None:
            spent_s = self._spent() - began_s
            account.spend(spent_s)
            self._all.spend(spent_s)

    def _account(self, user_id: int, now_s: float) -> _Account:
        account = self._users.get(user_id)
        if account is None:
            account = self._users[user_id] = _Account(USER_SHARE, USER_SAVED_S, now_s)
            if len(self._users) > USERS_MAX:
                self._users.popitem(last=False)
        else:
            self._users.move_to_end(user_id)
        return account
