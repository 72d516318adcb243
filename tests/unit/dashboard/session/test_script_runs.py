from __future__ import annotations

import threading
import time

import pytest

from bisenet.dashboard.session.script_runs import ScriptRuns
from tests.waiting import until


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_run_at_a_time(most: int) -> None:
    runs = ScriptRuns(most, busy_seconds=30)
    lock = threading.Lock()
    inside, seen = [0], list[int]()

    def script() -> None:
        with runs.slot():
            with lock:
                inside[0] += 1
                seen.append(inside[0])
            time.sleep(0.01)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=script) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 20
    assert max(seen) == most


def in_a_thread(runs: ScriptRuns, order: list[str], name: str) -> threading.Thread:
    def script() -> None:
        with runs.slot():
            order.append(name)

    thread = threading.Thread(target=script, daemon=True)
    thread.start()
    return thread


def test_one_that_waits_long_no_longer_counts() -> None:
    runs, order = ScriptRuns(1, busy_seconds=0.1), list[str]()
    with runs.slot():
        begin = time.monotonic()
        in_a_thread(runs, order, "next").join(10)
        assert order
        assert time.monotonic() - begin > 0.05


def test_one_that_steps_aside_no_longer_counts() -> None:
    runs, order = ScriptRuns(1, busy_seconds=30), list[str]()
    with runs.slot():
        waiting = in_a_thread(runs, order, "next")
        until(lambda: runs._queue)
        assert not order
        runs.step_aside()
        waiting.join(10)
        assert order


def test_they_run_in_the_order_in_which_they_come() -> None:
    runs, order = ScriptRuns(1, busy_seconds=30), list[str]()
    with runs.slot():
        threads = []
        for number in range(10):
            threads.append(in_a_thread(runs, order, str(number)))
            until(lambda n=number: len(runs._queue) == n + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join(10)
    assert order == [str(number) for number in range(10)]


def test_without_a_limit_nobody_waits() -> None:
    runs, order = ScriptRuns(busy_seconds=30), list[str]()
    with runs.slot():
        in_a_thread(runs, order, "other").join(10)
        assert order


def test_a_script_that_fails_gives_its_turn_back() -> None:
    runs = ScriptRuns(1, busy_seconds=30)
    with pytest.raises(RuntimeError), runs.slot():
        raise RuntimeError
    with runs.slot():
        pass
