from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from bisenet.runtime import admission
from bisenet.serving import lifecycle


class TestLifecycle:
    def test_loading_then_ready_then_draining(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue())
        assert (state.problem, state.ready) == ("loading", False)
        state.loaded()
        assert state.ready
        state.drain()
        assert (state.problem, state.ready) == ("draining", False)

    def test_a_server_without_weights_is_never_ready(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue())
        state.failed("weights")
        assert state.problem == "weights"

    def test_requests_are_bounded_by_the_queue(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue(max_running=1, max_waiting=1))
        with state.request(), state.request():
            assert not state.idle
            with pytest.raises(lifecycle.Busy), state.request():
                pass
        assert state.idle

    def test_a_parse_of_a_page_keeps_the_server_busy(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue())
        with state.queue.admit():
            assert not state.idle
        assert state.idle

    def test_a_parse_without_progress_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [100.0]
        monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: now[0]))
        own = admission.ParseQueue(max_running=2)
        state = lifecycle.Lifecycle(own, stall_seconds=60, stall_seconds_draining=10)
        state.loaded()
        with own.admit() as moved, own.admit():
            assert (state.stalled, state.stuck, state.problem) == (False, False, "")
            for _ in range(6):  # one works on, the other stands still
                now[0] += 10
                moved()
            assert (state.stalled, state.stuck, state.problem) == (True, False, "stalled")
            now[0] += 15
            assert not state.stuck
            state.drain()
            assert state.stuck, "told to go, it waits less long"
        assert (state.stalled, state.stuck) == (False, False)

    def test_the_queue_is_one_a_process(self) -> None:
        found: list[admission.ParseQueue] = []
        thread = threading.Thread(target=lambda: found.append(admission.process_queue()))
        thread.start()
        thread.join()
        assert found == [admission.process_queue()]
