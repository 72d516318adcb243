from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from bisenet.dashboard.session import script_runs
from bisenet.dashboard.session.script_runs import ScriptRuns
from tests.waiting import PATIENCE_SECONDS, until


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_run_at_a_time(most: int) -> None:
    runs = ScriptRuns(most, busy_seconds=30)
    lock = threading.Lock()
    inside, seen, released = [0], list[int](), threading.Event()

    def script() -> None:
        with runs.slot():
            with lock:
                inside[0] += 1
                seen.append(inside[0])
            released.wait(PATIENCE_SECONDS)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=script) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: len(seen) + len(runs._queue) >= 20)
    released.set()
    for thread in threads:
        thread.join()
    assert len(seen) == 20
    assert max(seen) == most


def in_a_thread(runs: ScriptRuns, order: list[str], name: str) -> threading.Thread:
    def script() -> None:
        with runs.slot():
            order.append(name)

    thread = threading.Thread(target=script, daemon=True)
    thread.start()
    return thread


def test_one_that_waits_long_no_longer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(script_runs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    runs, order = ScriptRuns(1, busy_seconds=0.1), list[str]()
    with runs.slot():
        waiting = in_a_thread(runs, order, "next")
        until(lambda: runs._queue)
        assert not order
        now[0] += 0.1
        waiting.join(PATIENCE_SECONDS)
        assert order


def test_one_that_steps_aside_no_longer_counts() -> None:
    runs, order = ScriptRuns(1, busy_seconds=30), list[str]()
    with runs.slot():
        waiting = in_a_thread(runs, order, "next")
        until(lambda: runs._queue)
        assert not order
        runs.step_aside()
        waiting.join(PATIENCE_SECONDS)
        assert order


def test_they_run_in_the_order_in_which_they_come() -> None:
    runs, order = ScriptRuns(1, busy_seconds=30), list[str]()
    with runs.slot():
        threads = []
        for number in range(10):
            threads.append(in_a_thread(runs, order, str(number)))
            until(lambda n=number: len(runs._queue) == n + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert order == [str(number) for number in range(10)]


def test_without_a_limit_nobody_waits() -> None:
    runs, order = ScriptRuns(busy_seconds=30), list[str]()
    with runs.slot():
        in_a_thread(runs, order, "other").join(PATIENCE_SECONDS)
        assert order


def test_a_script_that_fails_gives_its_turn_back() -> None:
    runs = ScriptRuns(1, busy_seconds=30)
    with pytest.raises(RuntimeError), runs.slot():
        raise RuntimeError
    with runs.slot():
        pass
