"""Work that a person may stop, and that says that it goes on.

Long work calls ``step`` between its parts. Whoever started it has put a callback there with
``each_step``: it takes note that the work moves, and may raise to end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancelled(Exception):
    """The person who started the work stopped it."""


def cancelling(stop: Callable[[], bool]) -> Callable[[], None]:
    """A callback for ``each_step`` that raises ``Cancelled`` once ``stop`` says so."""

    def check() -> None:
        if stop():
            raise Cancelled

    return check


def _nothing() -> None:
    """Nobody follows this work."""


_callback: ContextVar[Callable[[], None]] = ContextVar("step", default=_nothing)


def step() -> None:
    """A part of the work is done. Raises whatever ends the work, such as ``Cancelled``."""
    _callback.get()()


@contextmanager
def each_step(callback: Callable[[], None]) -> Iterator[None]:
    """Within the block, on this thread, call ``callback`` at each step of the work."""
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)
