"""Measurements in the background: one at a time in a process, ended when nobody looks any more."""

from __future__ import annotations

import threading
from typing import TypeVar

from bisenet.dashboard.session import jobs

T = TypeVar("T")
# A page that waits for a measurement looks at it every second; nobody looking means they have left.
ABANDONED_SECONDS = 30.0

_one_at_a_time = threading.Lock()


class Job(jobs.Job[T]):
    """A measurement; ``start`` says False where another runs: two would disturb each other.

    Args:
        work: does the measuring; gets ``progress(share, what)`` and ``stop() -> bool``.
    """

    def __init__(self, work: jobs.Work[T]):
        super().__init__(
            work,
            name="measurement",
            exclusive=_one_at_a_time,
            abandoned_seconds=ABANDONED_SECONDS,
        )
