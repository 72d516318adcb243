"""The queue before the engine: how many parses run, how many wait, and in which order.

One for all sessions and requests of a process; ``BISENET_MAX_RUNNING`` and ``BISENET_MAX_WAITING``
set its size.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from bisenet.runtime.fairness import Rounds
from bisenet.runtime.settings import Settings

# A waiting client is asked this often whether it is still there.
ASK_SECONDS = 1.0


class QueueFull(RuntimeError):
    """As many people as allowed are waiting already; the message is a sentence for people."""


@dataclass(eq=False)
class _Ticket:
    """A request for ``places``, woken by ``news``; one that ``watches`` is told of each move.

    ``moved`` is when its work, once running, last made progress (``time.monotonic``).
    """

    places: int
    watches: bool
    client: str = ""
    start: float = 0.0
    news: threading.Event = field(default_factory=threading.Event)
    moved: float = 0.0

    def move(self) -> None:
        """The work inside has made progress."""
        self.moved = time.monotonic()


class ParseQueue:
    """Admits ``max_running`` at a time, lets ``max_waiting`` wait, refuses the rest.

    Two at a time by default: one is decoded and labelled, which takes one core, while the other's
    network runs, so both are done sooner than one after the other.

    Raises:
        ValueError: fewer than one may run, or a negative number may wait.
    """

    def __init__(self, max_running: int = 2, max_waiting: int = 32):
        if max_running < 1 or max_waiting < 0:
            raise ValueError("A queue admits at least one, and no negative number can wait.")
        self.max_running = max_running
        self.max_waiting = max_waiting
        self._lock = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._rounds = Rounds()
        self._inside: set[_Ticket] = set()
        self._taken = 0

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._inside)

    @property
    def stalled_seconds(self) -> float:
        """How long the running parse that has stood still longest has; 0 where none runs."""
        return max(self._standing(), default=0.0)

    def stuck(self, seconds: float) -> bool:
        """Whether all that runs has stood still for so long: then no place will ever be free."""
        return min(self._standing(), default=0.0) >= seconds

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
    ) -> Iterator[Callable[[], None]]:
        """Wait in the queue, then hold ``places`` for the block.

        Args:
            on_position: called from the waiting thread with its position in the queue (1 is next)
                each time that changes and at least every second, and with 0 once it runs. It
                raises where the client has left, and the position is lost.
            places: how many of those that may run this one counts for; all, where it is more.
            client: whose it is. Clients alternate, and none waits with more than are left free;
                those of an empty client go by arrival.

        Yields:
            A function to call whenever the work has made progress: work that makes none for long
            is taken for hung (``stalled_seconds``).

        Raises:
            QueueFull: at once, when the queue is full, or full of this client's.
        """
        watches = on_position is not None
        ticket = _Ticket(min(places, self.max_running), watches, client)
        told = self._enter(ticket, on_position)
        try:
            if told and on_position is not None:
                on_position(0)
            yield ticket.move
        finally:
            with self._lock:
                self._inside.discard(ticket)
                self._taken -= ticket.places
                self._wake()

    def _enter(self, ticket: _Ticket, on_position: Callable[[int], None] | None) -> int:
        """Returns the last position told, 0 where none was."""
        with self._lock:
            if not self._queue and self._has_room(ticket):
                ticket.start = self._rounds.tag(ticket.client, ticket.places)
                self._let_in(ticket)
                return 0
            free = self.max_waiting - len(self._queue)
            own = sum(other.client == ticket.client for other in self._queue)
            if free <= 0 or (ticket.client and own >= free):
                raise QueueFull(
                    f"{len(self._inside)} photos are being parsed and {len(self._queue)} wait. "
                    "Try again in a moment."
                )
            ticket.start = self._rounds.tag(ticket.client, ticket.places)
            later = (i for i, other in enumerate(self._queue) if other.start > ticket.start)
            self._queue.insert(next(later, len(self._queue)), ticket)
            self._wake()
        told = 0
        overdue = False
        try:
            while True:
                with self._lock:
                    position = self._queue.index(ticket) + 1
                    if position == 1 and self._has_room(ticket):
                        self._queue.popleft()
                        self._let_in(ticket)
                        self._wake()
                        return told
                    ticket.news.clear()
                if (position != told or overdue) and on_position is not None:
                    # Outside the lock: drawing it in a page may take its time, or raise when the
                    # person has left.
                    told = position
                    on_position(position)
                overdue = not ticket.news.wait(ASK_SECONDS)
        except BaseException:
            with self._lock:
                if ticket in self._queue:
                    self._queue.remove(ticket)
                self._wake()
            raise

    def _has_room(self, ticket: _Ticket) -> bool:
        return self._taken + ticket.places <= self.max_running

    def _let_in(self, ticket: _Ticket) -> None:
        ticket.move()
        self._inside.add(ticket)
        self._taken += ticket.places
        self._rounds.reached(ticket.start)

    def _standing(self) -> list[float]:
        """Seconds since each of those inside last made progress."""
        now = time.monotonic()
        with self._lock:
            return [now - ticket.moved for ticket in self._inside]

    def _wake(self) -> None:
        """Wake the next one, and those that are told their position; the others sleep on.

        Waking all each time would take time from the parse that runs.
        """
        for position, ticket in enumerate(self._queue):
            if position == 0 or ticket.watches:
                ticket.news.set()


@cache
def process_queue() -> ParseQueue:
    """The one queue of this process, made on first use: pages and the API wait together.

    Raises:
        ValueError: ``BISENET_MAX_RUNNING`` or ``BISENET_MAX_WAITING`` is wrong.
    """
    settings = Settings()
    return ParseQueue(settings.max_running, settings.max_waiting)
