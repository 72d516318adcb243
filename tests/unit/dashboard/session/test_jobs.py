"""Jobs in threads. The end of a real session is in tests/browser/test_batch.py; here the runtime
is a stand-in, because a browser that leaves for two minutes is too slow to wait for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bisenet.dashboard.session import jobs
from bisenet.dashboard.session.jobs import Job, Progress, Stop
from bisenet.runtime.cancellation import Cancelled


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def patient(progress: Progress, stop: Stop) -> str:
    progress(0.25, "waiting")
    while not stop():
        time.sleep(0.002)
    return "what was done"


def test_work_runs_beside_and_its_end_is_kept() -> None:
    gone_on = threading.Event()
    job: Job[int] = Job(lambda progress, stop: 7 if gone_on.wait(10) else 0, name="seven")
    assert job.start()
    assert job.running
    assert job.result is None
    gone_on.set()
    job.join(10)
    assert (job.result, job.problem, job.running) == (7, "", False)
    elapsed = job.elapsed
    time.sleep(0.01)
    assert job.elapsed == elapsed > 0


def test_cancelled_work_keeps_what_it_has() -> None:
    job = Job(patient)
    job.start()
    until(lambda: job.share == 0.25)
    assert job.what == "waiting"
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


def test_it_is_not_abandoned_unless_it_says_so() -> None:
    left, kept = Job(patient, abandoned_seconds=0.05), Job(patient)
    left.start()
    kept.start()
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
    """Stands in for Streamlit's runtime: which sessions are connected."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.connected: set[str] = set()
        self._patch = monkeypatch
        monkeypatch.setattr(
            jobs,
            "runtime",
            SimpleNamespace(
                exists=lambda: True,
                get_instance=lambda: SimpleNamespace(
                    is_active_session=lambda one: one in self.connected
                ),
            ),
        )
        monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(jobs, "RESUMABLE_SECONDS", 0.2)

    def enter(self, session_id: str) -> None:
        self.connected.add(session_id)
        context = SimpleNamespace(session_id=session_id)
        self._patch.setattr(jobs, "get_script_run_ctx", lambda suppress_warning: context)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    return Sessions(monkeypatch)


def test_a_job_ends_with_its_session_and_no_other(sessions: Sessions) -> None:
    sessions.enter("left")
    left = Job(patient)
    left.start()
    sessions.enter("stays")
    stays = Job(patient)
    stays.start()
    sessions.connected.remove("left")
    left.join(10)
    assert left.problem == "Stopped."
    assert stays.running
    stays.cancel()
    stays.join(10)


def test_a_lost_connection_that_comes_back_ends_nothing(sessions: Sessions) -> None:
    sessions.enter("blinks")
    job = Job(patient)
    job.start()
    for _ in range(5):
        sessions.connected.clear()
        time.sleep(0.08)
        sessions.connected.add("blinks")
        time.sleep(0.08)
    assert job.running
    job.cancel()
    job.join(10)


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
    until(lambda: let_go == ["fails", "kept"])
    until(lambda: jobs._watcher is None)
    assert let_go == ["fails", "kept"]


def test_outside_a_session_nothing_ends_it() -> None:
    jobs.at_session_end(lambda: pytest.fail("called"))
    assert jobs._watched == []
