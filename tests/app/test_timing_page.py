from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bisenet.dashboard.timing import jobs
from bisenet.dashboard.timing.jobs import Job
from bisenet.runtime.cancellation import Cancelled
from tests.conftest import ROOT
from tests.waiting import until


@pytest.fixture
def timing(app: AppTest) -> AppTest:
    return app.switch_page("pages/timing.py").run()


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption)


def test_this_parse_and_its_engine_are_shown(timing: AppTest) -> None:
    assert not timing.exception
    assert not timing.error
    assert "threads" in captions(timing) or "thread" in captions(timing)
    assert len(timing.get("plotly_chart")) >= 2


def test_history_has_percentiles_and_filters(timing: AppTest) -> None:
    assert {box.label for box in timing.selectbox} >= {"Engine", "Precision", "Input size, px"}
    assert not timing.exception


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()
    until(lambda: not jobs._one_at_a_time.locked())


def waiting(event: threading.Event) -> Job[int]:
    def work(progress: Callable[[float, str], None], stop: Callable[[], bool]) -> int:
        progress(0.5, "half")
        while not event.wait(0.005):
            if stop():
                raise Cancelled
        return 7

    return Job(work)


class TestJob:
    def test_it_runs_beside_the_page_and_brings_its_result(self, released: threading.Event) -> None:
        job = waiting(released)
        assert job.start()
        until(lambda: job.share == 0.5)
        assert job.running
        released.set()
        job.join(10)
        assert (job.result, job.problem, job.running) == (7, "", False)

    def test_it_can_be_stopped(self, released: threading.Event) -> None:
        job = waiting(released)
        assert job.start()
        job.cancel()
        job.join(10)
        assert (job.result, job.problem) == (None, "Stopped.")

    def test_one_at_a_time(self, released: threading.Event) -> None:
        first, second = waiting(released), waiting(released)
        assert first.start()
        assert not second.start()
        released.set()
        first.join(10)
        until(lambda: not jobs._one_at_a_time.locked())
        assert second.start()
        second.join(10)

    def test_it_ends_when_nobody_looks_any_more(
        self, released: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "ABANDONED_SECONDS", 0.05)
        job = waiting(released)
        assert job.start()
        job.join(10)
        assert job.problem == "Stopped."

    def test_an_error_is_a_sentence(self) -> None:
        def fail(*_: Any) -> int:
            raise ValueError("There is no such engine.")

        job: Job[int] = Job(fail)
        assert job.start()
        job.join(10)
        assert job.problem == "There is no such engine."


def test_the_app_imports_no_torch_where_openvino_serves() -> None:
    script = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "app = AppTest.from_file('streamlit_app.py', default_timeout=120).run();"
        "app.switch_page('pages/timing.py').run();"
        "print(bool(app.exception), 'torch' in sys.modules, 'openvino' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.split()[-3:] == ["False", "False", "True"]
