from __future__ import annotations

import threading
import time

import pytest

from bisenet.dashboard.script_runs import ScriptRuns


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_run_at_a_time(most: int) -> None:
    runs = ScriptRuns(most, busy_seconds=30)
    lock = threading.Lock()
    inside, seen = [0], list[int]()

    def script() -> None:
        with runs.turn():
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


def test_one_that_waits_long_no_longer_counts() -> None:
    runs = ScriptRuns(1, busy_seconds=0.1)
    with runs.turn():
        begin = time.monotonic()
        with runs.turn():
            assert 0.05 < time.monotonic() - begin < 5


def test_without_a_limit_nobody_waits() -> None:
    runs = ScriptRuns(busy_seconds=30)
    with runs.turn(), runs.turn(), runs.turn():
        pass


def test_a_script_that_fails_gives_its_turn_back() -> None:
    runs = ScriptRuns(1, busy_seconds=30)
    with pytest.raises(RuntimeError), runs.turn():
        raise RuntimeError
    with runs.turn():
        pass
