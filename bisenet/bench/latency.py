"""The backends run alternately and are timed: the measuring itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bisenet.bench.backends import PUBLISHED, Backend, Batch
from bisenet.runtime.cancellation import Cancelled
from bisenet.runtime.timing import Summary, summarise

Hold = Callable[[], AbstractContextManager[object]]
SIZES = (256, 384, 512, 768)
BATCHES = (1, 2, 4, 8)
_LEAST_RUNS = 3
# OpenMP's threads go on spinning for a while after torch's work is done, which would slow the next.
_PAUSE = 0.03
_SHORT = 0.2


@dataclass(frozen=True)
class Effort:
    """How long to measure: up to ``runs`` a backend and cell, less where ``seconds`` are up."""

    runs: int = 30
    seconds: float = 4.0


QUICK = Effort(runs=12, seconds=2.0)


@dataclass(frozen=True)
class Cell:
    """One backend at one input size and batch: times in milliseconds a batch."""

    backend: str
    precision: str
    device: str
    threads: int
    size: int
    batch: int
    times: Summary

    @property
    def images_per_second(self) -> float:
        """Throughput at the median."""
        return 1000 * self.batch / self.times.median

    def as_row(self) -> dict[str, Any]:
        """Flat, with units in the names."""
        times = asdict(self.times)
        count = times.pop("count")
        row = {k: v for k, v in vars(self).items() if k != "times"}
        row |= {"runs": count, **{f"{k}_ms": round(v, 3) for k, v in times.items()}}
        row |= {"images_per_s": round(self.images_per_second, 2)}
        return row | {"contestant": self.backend}  # the old name, for one release


@dataclass(frozen=True)
class Ratio:
    """How many times faster ``backend`` is than ``reference``: the median of paired runs."""

    backend: str
    reference: str
    size: int
    batch: int
    times_faster: float

    def as_row(self) -> dict[str, Any]:
        """The report's row."""
        return {**vars(self), "contestant": self.backend}


@dataclass(frozen=True)
class Table:
    """What a benchmark measured."""

    cells: tuple[Cell, ...]
    ratios: tuple[Ratio, ...]


def compare(
    backends: Sequence[Backend],
    sizes: Sequence[int] = SIZES,
    batches: Sequence[int] = BATCHES,
    effort: Effort | None = None,
    progress: Callable[[float, str], None] | None = None,
    stop: Callable[[], bool] | None = None,
    hold: Hold = nullcontext,
) -> Table:
    """Time every backend at every size and batch, alternately.

    Args:
        backends: what takes part.
        sizes: sides of the input in pixels, multiples of 32.
        batches: images at once.
        effort: how long to measure.
        progress: called with the share done, 0..1, and what runs.
        stop: asked before each run; True ends it.
        hold: held for each run, as places of the queue before an engine that others use too.

    Raises:
        ValueError: a size is not a multiple of 32, or a batch is smaller than 1.
        Cancelled: ``stop`` said so.
    """
    effort = effort or Effort()
    for size in sizes:
        if size < 32 or size % 32:
            raise ValueError(f"An input size is a multiple of 32, not {size}.")
    if any(batch < 1 for batch in batches):
        raise ValueError("A batch holds at least one image.")
    cells: list[Cell] = []
    ratios: list[Ratio] = []
    plan = [(size, batch) for size in sizes for batch in batches]
    for number, (size, batch) in enumerate(plan):
        start = number / len(plan)

        def report(share: float, start: float = start, what: str = f"{size} px x {batch}") -> None:
            if progress is not None:
                progress(start + share / len(plan), what)

        times = _alternate(backends, _batch(batch, size), effort, report, stop, hold)
        cells += [
            Cell(
                one.name,
                one.precision,
                one.device,
                one.threads,
                size,
                batch,
                summarise([1000 * t for t in times[one.name]]),
            )
            for one in backends
        ]
        ratios += _ratios(times, size, batch)
    if progress is not None:
        progress(1.0, "done")
    return Table(tuple(cells), tuple(ratios))


def _alternate(
    backends: Sequence[Backend],
    batch: Batch,
    effort: Effort,
    report: Callable[[float], None],
    stop: Callable[[], bool] | None,
    hold: Hold,
) -> dict[str, list[float]]:
    """Seconds of each run by backend; the n-th runs of all are neighbours in time."""
    times: dict[str, list[float]] = {one.name: [] for one in backends}
    spent = dict.fromkeys(times, 0.0)
    warm = {}
    for one in backends:
        _ask(stop)
        with hold():
            start = time.perf_counter()
            one.run(batch)
            warm[one.name] = time.perf_counter() - start
    for number in range(effort.runs):
        report(number / effort.runs)
        for one in backends:
            done = len(times[one.name])
            if done >= _LEAST_RUNS and spent[one.name] >= effort.seconds:
                continue
            _ask(stop)
            time.sleep(_PAUSE)
            with hold():
                if warm[one.name] < _SHORT:
                    one.run(batch)
                start = time.perf_counter()
                one.run(batch)
                elapsed = time.perf_counter() - start
            times[one.name].append(elapsed)
            spent[one.name] += elapsed
    return times


def _ratios(times: dict[str, list[float]], size: int, batch: int) -> list[Ratio]:
    ratios = []
    for reference in (PUBLISHED, "onnxruntime"):
        for name, own in times.items():
            if name == reference or reference not in times:
                continue
            pairs = list(zip(times[reference], own, strict=False))
            faster = float(np.median([theirs / ours for theirs, ours in pairs]))
            ratios.append(Ratio(name, reference, size, batch, round(faster, 3)))
    return ratios


def _batch(count: int, size: int) -> Batch:
    rng = np.random.default_rng(size)
    return rng.standard_normal((count, 3, size, size), dtype=np.float32)


def _ask(stop: Callable[[], bool] | None) -> None:
    if stop is not None and stop():
        raise Cancelled
