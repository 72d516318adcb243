"""What the server is up to: starting, ready, draining; and when it may go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bisenet.gate import Gate


class Busy(RuntimeError):
    """As many requests as may run and wait are inside already."""


class Lifecycle:
    """The server's state, shared by routes, probes and signal handlers. Safe between threads.

    Args:
        gate: where all parses wait and run.
        stall_seconds: a parse that runs and makes no progress for so long hangs.
        stall_seconds_draining: the same once the server was told to go.
    """

    def __init__(
        self, gate: Gate, stall_seconds: float = 60.0, stall_seconds_draining: float = 10.0
    ):
        self.gate = gate
        self._stall_seconds = stall_seconds
        self._stall_seconds_draining = min(stall_seconds, stall_seconds_draining)
        self._lock = threading.Lock()
        self._requests = 0
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
        return self.gate.stalled_seconds >= self._stall_seconds

    @property
    def stuck(self) -> bool:
        """Whether all parses that run hang, so that nothing which waits will ever have its turn."""
        limit = self._stall_seconds_draining if self.draining else self._stall_seconds
        return self.gate.running > 0 and self.gate.stuck(limit)

    @property
    def idle(self) -> bool:
        """Whether nothing is parsed and nothing waits, from the API or from a page."""
        return not (self._requests or self.gate.running or self.gate.waiting)

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
    def request(self) -> Iterator[None]:
        """Hold one of the places for requests; they bound the bodies that are read at once.

        Raises:
            Busy: at once, when every place is taken.
        """
        with self._lock:
            if self._requests >= self.gate.max_running + self.gate.max_waiting:
                raise Busy
            self._requests += 1
        try:
            yield
        finally:
            with self._lock:
                self._requests -= 1
