"""So many page scripts run at a time; the others wait their turn.

When a server comes back, everyone's browser connects again at once. Each script keeps the
interpreter busy, and with dozens at a time the loop that answers probes and sockets gets no turn.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

# A script that runs longer waits for something, as a download or a file, and no longer counts.
BUSY_SECONDS = 1.0


class ScriptRuns:
    """Lets ``most`` scripts run at a time, in the order in which they come. Safe between threads.

    Args:
        most: how many; any number when 0.
        busy_seconds: how long a script counts.
    """

    def __init__(self, most: int = 0, busy_seconds: float = BUSY_SECONDS):
        self.most = most
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._ends: dict[int, float] = {}

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until fewer are busy, then count as one of them for the block."""
        self._enter()
        try:
            yield
        finally:
            self.step_aside()

    def step_aside(self) -> None:
        """The script of this thread waits from here on, as for its photo: it does not count."""
        with self._lock:
            self._ends.pop(threading.get_ident(), None)
            self._wake()

    def _enter(self) -> None:
        news = threading.Event()
        with self._lock:
            self._queue.append(news)
        while True:
            with self._lock:
                first = self._queue[0] is news
                now = time.monotonic()
                wait = self._wait(now)
                if first and wait <= 0:
                    self._queue.popleft()
                    self._ends[threading.get_ident()] = now + self._busy_seconds
                    self._wake()
                    return
                news.clear()
            news.wait(wait if first else None)

    def _wait(self, now: float) -> float:
        """Seconds until one more may run; 0: now."""
        busy = sorted(end for end in self._ends.values() if end > now)
        return busy[-self.most] - now if self.most and len(busy) >= self.most else 0.0

    def _wake(self) -> None:
        if self._queue:
            self._queue[0].set()


_PROCESS = ScriptRuns()
slot = _PROCESS.slot
step_aside = _PROCESS.step_aside


def limit(most: int) -> None:
    """Set how many run at a time in this process; without it there is no limit."""
    _PROCESS.most = most
