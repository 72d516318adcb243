"""Where the milliseconds go: one stopwatch a parse, and the figures that describe many."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bisenet.runtime.cancellation import step


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 05 s``, ``32 min`` or ``1 h 20 min``."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Stopwatch:
    """Collects the milliseconds of named stages, in the order in which they were first entered."""

    def __init__(self) -> None:
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; entering a stage again adds to it. Each stage is a step of the work."""
        step()
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - start) * 1000
            self._stages[name] = self._stages.get(name, 0.0) + elapsed

    @property
    def timings(self) -> Mapping[str, float]:
        """Stage to milliseconds, read-only."""
        return MappingProxyType(dict(self._stages))


@dataclass(frozen=True)
class Summary:
    """What many timings of one thing come to, in milliseconds.

    ``low`` and ``high`` are the quartiles: half of the runs lie between them.
    """

    count: int
    median: float
    low: float
    high: float
    p95: float
    p99: float
    least: float


def summarise(milliseconds: Sequence[float]) -> Summary:
    """Describe timings; percentiles are interpolated linearly between the two nearest.

    Raises:
        ValueError: there are none.
    """
    if not len(milliseconds):
        raise ValueError("There are no timings to summarise.")
    low, median, high, p95, p99 = np.percentile(milliseconds, [25, 50, 75, 95, 99])
    return Summary(
        len(milliseconds),
        float(median),
        float(low),
        float(high),
        float(p95),
        float(p99),
        float(min(milliseconds)),
    )


@dataclass(frozen=True)
class Growth:
    """``milliseconds = factor * x ** exponent``: 1 grows in step with x, 2 with its square."""

    factor: float
    exponent: float

    def at(self, x: float) -> float:
        """Milliseconds that the fit gives for ``x``."""
        return float(self.factor * x**self.exponent)


def fit_growth(x: Sequence[float], milliseconds: Sequence[float]) -> Growth | None:
    """Least-squares fit of a power law in logarithms; None with fewer than two distinct ``x``."""
    if len(set(x)) < 2 or min(x) <= 0 or min(milliseconds) <= 0:
        return None
    exponent, intercept = np.polyfit(np.log(x), np.log(milliseconds), 1)
    return Growth(float(np.exp(intercept)), float(exponent))
