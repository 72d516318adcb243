"""Long measurements in a thread of their own: they outlive reruns and end with their session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from bisenet.bench.measure import Cancelled

T = TypeVar("T")
# A page that waits for a measurement looks at it every second; nobody looking means they have left.
ABANDONED_SECONDS = 30.0

_one_at_a_time = threading.Lock()


class Job(Generic[T]):
    """One measurement: started at once, watched by ``look``, ended by ``cancel`` or by leaving.

    Args:
        work: does the measuring; gets ``progress(share, what)`` and ``stop() -> bool``.
    """

    def __init__(self, work: Callable[[Callable[[float, str], None], Callable[[], bool]], T]):
        self.share = 0.0
        self.what = "starting"
        self.result: T | None = None
        self.problem = ""
        self._work = work
        self._cancelled = threading.Event()
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="measurement", daemon=True)

    def start(self) -> bool:
        """Begin; False where another measurement runs in this process: two would disturb both."""
        if not _one_at_a_time.acquire(blocking=False):
            return False
        try:
            self._thread.start()
        except RuntimeError:
            _one_at_a_time.release()
            raise
        return True

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._thread.is_alive()

    def look(self) -> None:
        """Say that somebody still waits for it."""
        self._looked = time.monotonic()

    def cancel(self) -> None:
        """Ask it to end; it does so after the run that it is in."""
        self._cancelled.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(timeout)

    def _stop(self) -> bool:
        return self._cancelled.is_set() or time.monotonic() - self._looked > ABANDONED_SECONDS

    def _progress(self, share: float, what: str) -> None:
        self.share, self.what = share, what

    def _run(self) -> None:
        try:
            self.result = self._work(self._progress, self._stop)
            if self._cancelled.is_set():
                self.problem = "Stopped."
        except Cancelled:
            self.problem = "Stopped."
        except (ValueError, RuntimeError, MemoryError, OSError) as error:
            self.problem = str(error) or "The measurement failed."
        finally:
            _one_at_a_time.release()
