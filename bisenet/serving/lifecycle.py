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
    """The server's state, shared by routes, probes and signal handlers. Safe between threads."""

    def __init__(self, gate: Gate):
        self.gate = gate
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
        return "" if self._loaded else "loading"

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
