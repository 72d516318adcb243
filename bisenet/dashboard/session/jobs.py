"""Long work in a thread of its own: it outlives reruns and page changes and ends with its session.

Streamlit says nothing when a session ends. What can be asked, from any thread, is whether one is
connected (``Runtime.is_active_session``); one that lost its connection may be resumed for two
minutes (``MemorySessionStorage``) and is gone after that.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bisenet.runtime.cancellation import Cancelled

_log = logging.getLogger(__name__)

T = TypeVar("T")
Progress = Callable[[float, str], None]
Stop = Callable[[], bool]
Work = Callable[[Progress, Stop], T]

# As long as Streamlit lets a session that lost its connection come back.
RESUMABLE_SECONDS = 120.0
LOOK_SECONDS = 5.0


class Job(Generic[T]):
    """One piece of work: started once, watched by ``look``, ended by ``cancel`` or by leaving.

    Attributes:
        share: how much is done, 0..1, as the work last said.
        what: what it is at, as the work last said.
        result: what the work returned; None before, and where it failed.
        problem: a sentence for people where it was stopped or failed.

    Args:
        work: gets ``progress(share, what)`` and ``stop() -> bool``, which it asks now and then. It
            may raise ``Cancelled``, or return what it has.
        name: of the thread.
        exclusive: a lock that only one such job of the process may hold.
        abandoned_seconds: without a ``look`` for so long, nobody waits for it and it is to stop.
            By default it goes on while its person is elsewhere in the app.
    """

    def __init__(
        self,
        work: Work[T],
        *,
        name: str = "job",
        exclusive: threading.Lock | None = None,
        abandoned_seconds: float = math.inf,
    ):
        self.share = 0.0
        self.what = "starting"
        self.result: T | None = None
        self.problem = ""
        self._work = work
        self._exclusive = exclusive
        self._abandoned_seconds = abandoned_seconds
        self._cancelled = threading.Event()
        self._looked = self._began = time.monotonic()
        self._ended: float | None = None
        self._forget: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> bool:
        """Begin, from a page: the job belongs to that session. False where ``exclusive`` is held.

        Raises:
            RuntimeError: it was started before.
        """
        if self._exclusive is not None and not self._exclusive.acquire(blocking=False):
            return False
        self._looked = self._began = time.monotonic()
        try:
            self._forget = at_session_end(self.cancel)
            self._thread.start()
        except RuntimeError:
            self._forget()
            self._release()
            raise
        return True

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._thread.is_alive()

    @property
    def elapsed(self) -> float:
        """Seconds since it began, up to its end."""
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def look(self) -> None:
        """Say that somebody still waits for it."""
        self._looked = time.monotonic()

    def cancel(self) -> None:
        """Ask it to end; it does so when the work next asks."""
        self._cancelled.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def _stop(self) -> bool:
        abandoned = time.monotonic() - self._looked > self._abandoned_seconds
        return self._cancelled.is_set() or abandoned

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
            self.problem = str(error) or "The work failed."
        finally:
            self._ended = time.monotonic()
            self._forget()
            self._release()

    def _release(self) -> None:
        if self._exclusive is not None:
            self._exclusive.release()


@dataclass(eq=False)
class _Watched:
    session_id: str
    then: Callable[[], object]
    connected: float = field(default_factory=time.monotonic)


_watched: list[_Watched] = []
# Sessions of one person: what any of them holds lasts as long as one of them does.
_shared: dict[str, set[str]] = {}
_lock = threading.Lock()
_watcher: threading.Thread | None = None


def at_session_end(then: Callable[[], object]) -> Callable[[], None]:
    """Call ``then`` when the session of this page has ended, from a thread of its own.

    Args:
        then: lets go of what the session holds; called once. It must not call Streamlit.

    Returns:
        A function that forgets ``then``. Outside a session nothing is ever called.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not runtime.exists():
        return lambda: None
    one = _Watched(context.session_id, then)
    global _watcher
    with _lock:
        _watched.append(one)
        if _watcher is None:
            _watcher = threading.Thread(target=_watch, name="session-ends", daemon=True)
            _watcher.start()

    def forget() -> None:
        with _lock:
            if one in _watched:
                _watched.remove(one)

    return forget


def share(session_id: str, sessions: set[str]) -> None:
    """Let what a session holds last as long as any of these sessions; the set may grow."""
    with _lock:
        _shared[session_id] = sessions


def unshare(sessions: set[str]) -> None:
    """Let go of what ``share`` knows of these sessions."""
    with _lock:
        for session_id in sessions:
            _shared.pop(session_id, None)


def _connected(session_id: str) -> bool:
    if not runtime.exists():
        return True
    running = runtime.get_instance()
    together = tuple(_shared.get(session_id, (session_id,)))
    return any(running.is_active_session(one) for one in together)


def _watch() -> None:
    """Look every few seconds, until there is nothing left to watch."""
    global _watcher
    while True:
        time.sleep(LOOK_SECONDS)
        for one in _ended():
            try:
                one.then()
            except Exception:
                _log.exception("What a session held could not be let go")
        with _lock:
            if not _watched:
                _watcher = None
                return


def _ended() -> list[_Watched]:
    """Those whose sessions are over, each once."""
    now = time.monotonic()
    with _lock:
        for one in _watched:
            if _connected(one.session_id):
                one.connected = now
        over = [one for one in _watched if now - one.connected > RESUMABLE_SECONDS]
        for one in over:
            _watched.remove(one)
    return over
