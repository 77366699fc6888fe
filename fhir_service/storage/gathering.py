"""How long the writer waits for more jobs, so that one signature and one commit do.

Where several come at a time, the writer waits for as many as came before, and now and
then for more; it stops where nobody comes. Who is alone waits once in a hundred times,
for otherwise nobody would learn that there are two.
"""

from collections.abc import Callable

SLICE_S = 0.0025
"""Between two looks at the queue."""

PATIENCE = 8
"""Slices that it waits at most."""

SILENCE = 2
"""Slices without anybody new after which nobody is expected."""

MOST = 32
"""Jobs that are worth a commit of their own."""

RAISE_EVERY = 4
"""After so many groups as large as they were meant to be, a larger one is tried."""

ALONE_EVERY = 100
"""The same for groups of one."""


class Gathering:
    """Learns how many jobs come together.

    Args:
        sleep: Waits, in seconds.

    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._aim = 1
        self._reached = 0

    def wait(self, waiting: Callable[[], int]) -> None:
        """Wait while jobs are expected; `waiting` counts those that are there."""
        count, silent = waiting(), 0
        for _ in range(PATIENCE):
            if count >= self._aim or silent >= SILENCE:
                return
            self._sleep(SLICE_S)
            before, count = count, waiting()
            silent = 0 if count > before else silent + 1

    def took(self, count: int) -> None:
        """Learn how many jobs a group had."""
        if count < self._aim:
            # By and by: a few may only be late.
            self._aim = max(count, self._aim * 3 // 4)
            self._reached = 0
            return
        self._reached += 1
        is_due = self._reached % (RAISE_EVERY if count > 1 else ALONE_EVERY) == 0
        self._aim = min(MOST, count + 1 + count // 2 if is_due else count)
