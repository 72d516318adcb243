"""Jobs in threads. The end of a real session is in tests/browser/test_batch.py; here the runtime
is a stand-in, because a browser that leaves for two minutes is too slow to wait for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bisenet.dashboard.session import jobs
from bisenet.dashboard.session.jobs import Job, Progress, Stop
from bisenet.runtime.cancellation import Cancelled


class Clock:
    """Stands in for the module ``time``: seconds pass when a test says so."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(jobs, "time", clock)
    return clock


def patient(progress: Progress, stop: Stop) -> str:
    progress(0.25, "waiting")
    while not stop():  # a job is told by no event
        time.sleep(0.002)
    return "what was done"


def test_work_runs_beside_and_its_end_is_kept(clock: Clock) -> None:
    gone_on = threading.Event()
    job: Job[int] = Job(lambda progress, stop: 7 if gone_on.wait(10) else 0, name="seven")
    assert job.start()
    assert job.running
    assert job.result is None
    clock.now += 3
    gone_on.set()
    job.join(10)
    assert (job.result, job.problem, job.running) == (7, "", False)
    clock.now += 3
    assert job.elapsed == pytest.approx(3)


def test_cancelled_work_keeps_what_it_has() -> None:
    begun = threading.Event()

    def work(progress: Progress, stop: Stop) -> str:
        progress(0.25, "waiting")
        begun.set()
        return patient(progress, stop)

    job = Job(work)
    job.start()
    assert begun.wait(10)
    assert (job.share, job.what) == (0.25, "waiting")
    job.cancel()
    job.join(10)
    assert (job.result, job.problem) == ("what was done", "Stopped.")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (Cancelled(), "Stopped."),
        (ValueError("This is wrong."), "This is wrong."),
        (MemoryError(), "The work failed."),
    ],
)
def test_an_end_in_failure_is_a_sentence(error: Exception, problem: str) -> None:
    def fail(progress: Progress, stop: Stop) -> None:
        raise error

    job = Job(fail)
    job.start()
    job.join(10)
    assert job.problem == problem
    assert job.result is None


def test_it_is_not_abandoned_unless_it_says_so(clock: Clock) -> None:
    left, kept = Job(patient, abandoned_seconds=60), Job(patient)
    left.start()
    kept.start()
    clock.now += 60
    left.look()
    clock.now += 60
    assert left.running
    clock.now += 1
    left.join(10)
    assert left.result == "what was done"
    assert kept.running
    kept.cancel()
    kept.join(10)


def test_exclusive_work_runs_alone_and_frees_its_place() -> None:
    lock = threading.Lock()
    first, second = Job(patient, exclusive=lock), Job(patient, exclusive=lock)
    assert first.start()
    assert not second.start()
    first.cancel()
    first.join(10)
    assert second.start()
    second.cancel()
    second.join(10)
    assert not lock.locked()


class Sessions:
    """Stands in for Streamlit's runtime: which sessions are connected; and for the watcher's pause.

    The watcher looks when ``look_after`` says so, so nothing here waits for a clock.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: Clock):
        self.connected: set[str] = set()
        self._patch = monkeypatch
        self._clock = clock
        self._idle, self._look = threading.Semaphore(0), threading.Semaphore(0)
        instance = SimpleNamespace(is_active_session=lambda one: one in self.connected)
        fake = SimpleNamespace(exists=lambda: True, get_instance=lambda: instance)
        monkeypatch.setattr(jobs, "runtime", fake)
        monkeypatch.setattr(clock, "sleep", self._pause, raising=False)
        watch = jobs._watch

        def watch_and_tell() -> None:
            watch()
            self._idle.release()

        monkeypatch.setattr(jobs, "_watch", watch_and_tell)

    def enter(self, session_id: str) -> None:
        self.connected.add(session_id)
        context = SimpleNamespace(session_id=session_id)
        self._patch.setattr(jobs, "get_script_run_ctx", lambda suppress_warning: context)

    def look_after(self, seconds: float) -> None:
        """Let so many seconds pass, then one look of the watcher; return when it is over."""
        assert self._idle.acquire(timeout=60)
        self._clock.now += seconds
        self._look.release()
        assert self._idle.acquire(timeout=60)
        self._idle.release()

    def _pause(self, seconds: float) -> None:
        self._idle.release()
        assert self._look.acquire(timeout=90)


@pytest.fixture
def no_others() -> None:
    """Sessions that tests of pages left in this process are let go."""
    jobs._watched.clear()
    if jobs._watcher is not None:
        jobs._watcher.join(10 * jobs.LOOK_SECONDS)
    assert jobs._watcher is None


# The others go before the clock stands still: a watcher ends in real seconds.
@pytest.fixture
def sessions(no_others: None, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Sessions]:
    sessions = Sessions(monkeypatch, clock)
    yield sessions
    if jobs._watcher is not None:
        sessions.connected.clear()
        sessions.look_after(jobs.RESUMABLE_SECONDS + 1)
    assert jobs._watcher is None, "it ends when there is nothing left to watch"


def test_a_job_ends_with_its_session_and_no_other(sessions: Sessions) -> None:
    sessions.enter("left")
    left = Job(patient)
    left.start()
    sessions.enter("stays")
    stays = Job(patient)
    stays.start()
    sessions.connected.remove("left")
    sessions.look_after(jobs.RESUMABLE_SECONDS + 1)
    left.join(10)
    assert left.problem == "Stopped."
    assert stays.running
    stays.cancel()
    stays.join(10)
    assert stays.elapsed == jobs.RESUMABLE_SECONDS + 1


def test_a_lost_connection_that_comes_back_ends_nothing(sessions: Sessions) -> None:
    sessions.enter("blinks")
    asked = threading.Event()
    told: list[bool] = []

    def work(progress: Progress, stop: Stop) -> None:
        asked.wait(10)
        told.append(stop())

    job = Job(work)
    job.start()
    for _ in range(3):
        sessions.connected.clear()
        sessions.look_after(jobs.RESUMABLE_SECONDS - 1)
        sessions.connected.add("blinks")
        sessions.look_after(1)
    asked.set()
    job.join(10)
    assert told == [False]


def test_what_a_session_holds_is_let_go_once_and_not_if_forgotten(sessions: Sessions) -> None:
    let_go: list[str] = []
    sessions.enter("one")

    def fails() -> None:
        let_go.append("fails")
        raise ValueError

    jobs.at_session_end(fails)
    jobs.at_session_end(lambda: let_go.append("kept"))
    jobs.at_session_end(lambda: let_go.append("forgotten"))()
    sessions.connected.clear()
    sessions.look_after(jobs.RESUMABLE_SECONDS)
    assert let_go == []
    sessions.look_after(1)
    assert let_go == ["fails", "kept"]
    assert jobs._watcher is None


def test_outside_a_session_nothing_ends_it() -> None:
    jobs.at_session_end(lambda: pytest.fail("called"))
    assert jobs._watched == []
