"""How clients share what there is: whose request is next, and how much one of them may hold."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

# A client that was told to come back in n seconds finds its place from a little before until
# these many seconds after.
_EARLY, _LATE = 0.5, 5.0


class Rounds:
    """Start-time fair queueing (Goyal, Vin and Cheng, 1996): clients alternate.

    Each request gets a start tag; those of one client follow each other by what they cost, so a
    client with many requests stands behind one with few. Not safe between threads.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._next: dict[str, float] = {}

    def tag(self, client: str, cost: float) -> float:
        """The start tag of a new request; an empty client is nobody's, and goes by arrival."""
        if not client:
            return self._now
        start = max(self._now, self._next.get(client, 0.0))
        self._next[client] = start + cost
        return start

    def reached(self, start: float) -> None:
        """A request runs now; clients that are owed no wait are forgotten."""
        self._now = max(self._now, start)
        for client in [c for c, after in self._next.items() if after <= self._now]:
            del self._next[client]


@dataclass
class _Promise:
    """What a client was told; ``kept`` where a place is kept for it."""

    begins: float
    ends: float
    kept: bool


class Shares:
    """Places of which nobody holds more than are left free (Choudhury and Hahne, 1998).

    One client gets half of them, two a third each, and a newcomer always finds some. One that was
    told to come back finds its place kept when it does as told. Safe between threads.

    Args:
        total: the number of places.
        clock: seconds that only grow.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic):
        self.total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._promises: dict[str, _Promise] = {}

    @property
    def taken(self) -> int:
        """How many places are held."""
        return self._held.total()

    def take(self, client: str = "") -> bool:
        """Hold a place, if the client may; an empty client is bound by the total only."""
        now = self._clock()
        with self._lock:
            own = self._promises.get(client)
            kept = self._kept(now, client)
            free = self.total - self._held.total() - kept
            obeyed = own is not None and own.kept and own.begins <= now <= own.ends
            if own is not None and now >= own.begins:
                del self._promises[client]
            if free <= 0 or (client and not obeyed and self._held[client] >= free):
                return False
            self._held[client] += 1
            return True

    def give_back(self, client: str = "") -> None:
        """Give a place back."""
        with self._lock:
            self._held[client] -= 1
            if self._held[client] <= 0:
                del self._held[client]

    def promise(self, client: str, seconds: float) -> bool:
        """A client was refused and told to come back: keep a place for then.

        Returns whether it came too early: it was told so before, and that time has not come. Then
        no place is kept, nor for those who hold one already; and no more than a quarter of all.
        """
        if not client:
            return False
        now = self._clock()
        with self._lock:
            self._promises = {c: p for c, p in self._promises.items() if p.ends >= now}
            early = client in self._promises and now < self._promises[client].begins
            others = sum(p.kept for c, p in self._promises.items() if c != client)
            kept = not early and not self._held[client] and others < max(1, self.total // 4)
            later = now + seconds
            self._promises[client] = _Promise(later - _EARLY, later + _LATE, kept)
            return early

    def _kept(self, now: float, client: str) -> int:
        return sum(
            promise.kept and promise.begins <= now <= promise.ends
            for other, promise in self._promises.items()
            if other != client
        )
