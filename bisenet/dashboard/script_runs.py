"""So many page scripts run at a time; the others wait their turn.

When a server comes back, everyone's browser connects again at once. Each script keeps the
interpreter busy, and with dozens at a time the loop that answers probes and sockets gets no turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# A script that runs longer waits for something, as for its photo's turn, and no longer counts.
BUSY_SECONDS = 2.0


class ScriptRuns:
    """Lets ``most`` scripts run at a time, in no particular order. Safe between threads.

    Args:
        most: how many; any number when 0.
        busy_seconds: how long a script counts.
    """

    def __init__(self, most: int = 0, busy_seconds: float = BUSY_SECONDS):
        self.most = most
        self._busy_seconds = busy_seconds
        self._changed = threading.Condition()
        self._ends: dict[object, float] = {}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until fewer are busy, then count as one of them for the block."""
        mark = object()
        with self._changed:
            while self.most and (wait := self._wait(time.monotonic())) > 0:
                self._changed.wait(wait)
            self._ends[mark] = time.monotonic() + self._busy_seconds
        try:
            yield
        finally:
            with self._changed:
                del self._ends[mark]
                self._changed.notify()

    def _wait(self, now: float) -> float:
        """Seconds until one more may run; 0 or less: now."""
        busy = sorted(end for end in self._ends.values() if end > now)
        return busy[-self.most] - now if len(busy) >= self.most else 0.0


_PROCESS = ScriptRuns()
turn = _PROCESS.turn


def limit(most: int) -> None:
    """Set how many run at a time in this process; without it there is no limit."""
    _PROCESS.most = most
