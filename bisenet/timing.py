"""Where the milliseconds go: one stopwatch a parse."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType


class Stopwatch:
    """Collects the milliseconds of named stages, in the order in which they were first entered."""

    def __init__(self) -> None:
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; entering a stage again adds to it."""
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
