"""What the server is up to: starting, ready, draining; and when it may go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bisenet.runtime.admission import ParseQueue
from bisenet.runtime.fairness import Shares


class Busy(RuntimeError):
    """As many requests as may run and wait are inside already, or as many of this client's."""


class Lifecycle:
    """The server's state, shared by routes, probes and signal handlers. Safe between threads.

    Args:
        queue: where all parses wait and run.
        stall_seconds: a parse that runs and makes no progress for so long hangs.
        stall_seconds_draining: the same once the server was told to go.
    """

    def __init__(
        self, queue: ParseQueue, stall_seconds: float = 60.0, stall_seconds_draining: float = 10.0
    ):
        self.queue = queue
        self.shares = Shares(queue.max_running + queue.max_waiting)
        self._stall_seconds = stall_seconds
        self._stall_seconds_draining = min(stall_seconds, stall_seconds_draining)
        self._loaded = False
        self._failure = ""
        self._drain_began: float | None = None

    @property
    def problem(self) -> str:
        """Why the server is not ready, or an empty string when it is."""
        if self.draining:
            return "draining"
        if self._failure:
            return self._failure
        if not self._loaded:
            return "loading"
        return "stalled" if self.stalled else ""

    @property
    def ready(self) -> bool:
        """Whether new work is welcome."""
        return not self.problem

    @property
    def draining(self) -> bool:
        """Whether the server was told to go."""
        return self._drain_began is not None

    @property
    def draining_seconds(self) -> float:
        """Seconds since the server was told to go; 0 before."""
        return 0.0 if self._drain_began is None else time.monotonic() - self._drain_began

    @property
    def stalled(self) -> bool:
        """Whether a parse hangs: its place is lost until the process is started again."""
        return self.queue.stalled_seconds >= self._stall_seconds

    @property
    def stuck(self) -> bool:
        """Whether all parses that run hang, so that nothing which waits will ever run."""
        limit = self._stall_seconds_draining if self.draining else self._stall_seconds
        return self.queue.running > 0 and self.queue.stuck(limit)

    @property
    def idle(self) -> bool:
        """Whether nothing is parsed and nothing waits, from the API or from a page."""
        return not (self.shares.taken or self.queue.running or self.queue.waiting)

    def loaded(self) -> None:
        """The weights are verified and the engine is warm."""
        self._loaded = True

    def failed(self, reason: str) -> None:
        """The model cannot be had: never ready."""
        self._failure = reason

    def drain(self) -> None:
        """Take no new work from here on."""
        if self._drain_began is None:
            self._drain_began = time.monotonic()

    @contextmanager
    def request(self, client: str = "") -> Iterator[None]:
        """Hold one of the places for requests; they bound the bodies that are read at once.

        Args:
            client: whose it is: one may hold as many places as are left free.

        Raises:
            Busy: at once, when every place is taken that this client may have.
        """
        if not self.shares.take(client):
            raise Busy
        try:
            yield
        finally:
            self.shares.give_back(client)
