from __future__ import annotations

from types import SimpleNamespace

import pytest

from bisenet.runtime import timing
from bisenet.runtime.timing import Stopwatch, duration, fit_growth, summarise


def test_stages_keep_their_order_and_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [7.0]
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    clock = Stopwatch()
    for name, seconds in (("crop", 0.25), ("network", 2), ("crop", 0.5)):
        with clock.stage(name):
            now[0] += seconds
    assert list(clock.timings.items()) == [("crop", 750), ("network", 2000)]


def test_a_stage_that_fails_is_timed_too() -> None:
    clock = Stopwatch()
    with pytest.raises(RuntimeError), clock.stage("network"):
        raise RuntimeError
    assert "network" in clock.timings


def test_percentiles() -> None:
    times = summarise([float(n) for n in range(101)])
    assert (times.count, times.median, times.low, times.high) == (101, 50, 25, 75)
    assert (times.p95, times.p99, times.least) == (95, 99, 0)
    with pytest.raises(ValueError, match="no timings"):
        summarise([])


def test_growth_finds_the_power_law() -> None:
    fit = fit_growth([256, 512, 768], [3 * (x / 256) ** 2 for x in (256, 512, 768)])
    assert fit is not None
    assert fit.exponent == pytest.approx(2)
    assert fit.at(1024) == pytest.approx(48)


def test_growth_needs_two_places() -> None:
    assert fit_growth([512, 512], [3, 4]) is None


def test_durations_are_as_fine_as_anyone_needs() -> None:
    wanted = ["1 s", "59 s", "1 min 30 s", "9 min 05 s", "32 min", "1 h 20 min"]
    assert [duration(s) for s in (0.2, 59, 90, 545, 1920, 4800)] == wanted
