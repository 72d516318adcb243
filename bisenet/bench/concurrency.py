"""Many requests at once: throughput, waiting, and that nobody gets another's mask."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bisenet import parse_queue
from bisenet.images import samples
from bisenet.parser import FaceParser
from bisenet.runlog import RunLog
from bisenet.runtime.admission import ParseQueue
from bisenet.runtime.timing import summarise


@dataclass(frozen=True)
class Concurrency:
    """What happened when ``people`` came at the same moment, and the same work one after another.

    ``queue_bound_ms`` is the slowest alone times the people: what p95 may not exceed.
    """

    people: int
    failures: int
    mixed_up: int
    alone_images_per_s: float
    together_images_per_s: float
    median_ms: float
    p95_ms: float
    queue_bound_ms: float

    def as_row(self) -> dict[str, Any]:
        """Flat, with units in the names."""
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(self).items()}


def measure(
    parser: FaceParser, people: int = 16, queue: ParseQueue | None = None, rounds: int = 3
) -> Concurrency:
    """Parse ``people`` different photos one after another and all at once, alternately.

    Rates are medians over the ``rounds``; times are those of all of them.
    """
    queue = queue or ParseQueue(max_waiting=people)
    log = RunLog()
    face = np.asarray(samples.astronaut())
    photos = [np.ascontiguousarray(np.roll(face, 16 * i, axis=1)) for i in range(people)]
    expected = [parser.parse(photo, framing="whole").mask for photo in photos]
    alone: list[float] = []
    spent: list[float] = []
    wrong: list[bool] = []
    failed: list[bool] = []

    def person(number: int, times: list[float], together: threading.Barrier | None = None) -> None:
        if together is not None:
            together.wait()
        before = time.perf_counter()
        try:
            parsing = parse_queue.parse(
                photos[number], parser, parse_queue.parsing_alone, "whole", queue=queue, log=log
            )
            wrong.append(not np.array_equal(parsing.mask, expected[number]))
        except Exception:
            failed.append(True)
        times.append(1000 * (time.perf_counter() - before))

    one_by_one, at_once = [], []
    for _ in range(rounds):
        # In threads of their own as well: a page's every run has one, with memory of its own.
        start = time.perf_counter()
        for number in range(people):
            thread = threading.Thread(target=person, args=(number, alone))
            thread.start()
            thread.join()
        one_by_one.append(people / (time.perf_counter() - start))
        barrier = threading.Barrier(people + 1)
        threads = [
            threading.Thread(target=person, args=(number, spent, barrier))
            for number in range(people)
        ]
        for thread in threads:
            thread.start()
        barrier.wait()
        start = time.perf_counter()
        for thread in threads:
            thread.join()
        at_once.append(people / (time.perf_counter() - start))
    times = summarise(spent)
    return Concurrency(
        people,
        sum(failed),
        sum(wrong),
        float(np.median(one_by_one)),
        float(np.median(at_once)),
        times.median,
        times.p95,
        # Those that run at once share the machine, so the last one waits for the work of all.
        max(alone) * people,
    )
