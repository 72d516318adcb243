"""How many parses run at once and how many wait: clients take turns, and a polite no.

One gate stands before the engine for all sessions and requests of a process.
``BISENET_MAX_RUNNING`` and ``BISENET_MAX_WAITING`` set its size.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from bisenet.fairness import Rounds

RUNNING, WAITING = 2, 32


class GateFull(RuntimeError):
    """As many people as allowed are waiting already; the message is a sentence for people."""


@dataclass(eq=False)
class _Ticket:
    """Somebody who waits for ``places``: woken by ``news``; ``watches`` their turn come nearer."""

    places: int
    watches: bool
    client: str = ""
    start: float = 0.0
    news: threading.Event = field(default_factory=threading.Event)


class Gate:
    """Admits ``max_running`` at a time, lets ``max_waiting`` wait, refuses the rest.

    Two at a time by default: one is decoded and labelled, which takes one core, while the other's
    network runs, so both are done sooner than one after the other.

    Raises:
        ValueError: fewer than one may run, or a negative number may wait.
    """

    def __init__(self, max_running: int = RUNNING, max_waiting: int = WAITING):
        if max_running < 1 or max_waiting < 0:
            raise ValueError("A gate admits at least one, and no negative number can wait.")
        self.max_running = max_running
        self.max_waiting = max_waiting
        self._lock = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._rounds = Rounds()
        self._running = 0
        self._taken = 0

    @property
    def running(self) -> int:
        """How many are inside."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @contextmanager
    def admit(
        self,
        on_position: Callable[[int], None] | None = None,
        places: int = 1,
        client: str = "",
    ) -> Iterator[None]:
        """Wait for a turn, then hold it for the block.

        Args:
            on_position: called from the waiting thread with its place in the queue (1 is next)
                each time that changes, and with 0 when its turn has come.
            places: how many of those that may run this one counts for; all, where it is more.
            client: whose it is. Clients take turns, and none waits with more than are left free;
                those of an empty client go by arrival.

        Raises:
            GateFull: at once, when the queue is full, or full of this client's.
        """
        watches = on_position is not None
        ticket = _Ticket(min(places, self.max_running), watches, client)
        told = self._enter(ticket, on_position)
        try:
            if told and on_position is not None:
                on_position(0)
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._taken -= ticket.places
                self._wake()

    def _enter(self, ticket: _Ticket, on_position: Callable[[int], None] | None) -> int:
        """Returns the last place told, 0 where none was."""
        with self._lock:
            if not self._queue and self._has_room(ticket):
                ticket.start = self._rounds.tag(ticket.client, ticket.places)
                self._let_in(ticket)
                return 0
            free = self.max_waiting - len(self._queue)
            own = sum(other.client == ticket.client for other in self._queue)
            if free <= 0 or (ticket.client and own >= free):
                raise GateFull(
                    f"{self._running} photos are being parsed and {len(self._queue)} wait. "
                    "Try again in a moment."
                )
            ticket.start = self._rounds.tag(ticket.client, ticket.places)
            later = (i for i, other in enumerate(self._queue) if other.start > ticket.start)
            self._queue.insert(next(later, len(self._queue)), ticket)
            self._wake()
        told = 0
        try:
            while True:
                with self._lock:
                    place = self._queue.index(ticket) + 1
                    if place == 1 and self._has_room(ticket):
                        self._queue.popleft()
                        self._let_in(ticket)
                        self._wake()
                        return told
                    ticket.news.clear()
                if place != told and on_position is not None:
                    # Outside the lock: drawing a place in a page may take its time, or raise when
                    # the person has left.
                    told = place
                    on_position(place)
                ticket.news.wait()
        except BaseException:
            with self._lock:
                if ticket in self._queue:
                    self._queue.remove(ticket)
                self._wake()
            raise

    def _has_room(self, ticket: _Ticket) -> bool:
        return self._taken + ticket.places <= self.max_running

    def _let_in(self, ticket: _Ticket) -> None:
        self._running += 1
        self._taken += ticket.places
        self._rounds.reached(ticket.start)

    def _wake(self) -> None:
        """Wake whoever is next, and those who want to see their place; the others sleep on.

        Waking everybody for each turn would take time from the parse that runs.
        """
        for place, ticket in enumerate(self._queue):
            if place == 0 or ticket.watches:
                ticket.news.set()


def gate_from_environment() -> Gate:
    """A gate of the size that the environment sets: by default 2 at a time, 32 waiting.

    Raises:
        ValueError: a setting is not a whole number, or out of range.
    """
    sizes = {}
    for name, default in (("BISENET_MAX_RUNNING", RUNNING), ("BISENET_MAX_WAITING", WAITING)):
        text = os.environ.get(name, str(default))
        try:
            sizes[name] = int(text)
        except ValueError as error:
            raise ValueError(f"{name} must be a whole number, not {text!r}.") from error
    return Gate(sizes["BISENET_MAX_RUNNING"], sizes["BISENET_MAX_WAITING"])


@cache
def process_gate() -> Gate:
    """The one gate of this process, made on first use: pages and the API queue together.

    Raises:
        ValueError: as ``gate_from_environment``.
    """
    return gate_from_environment()
