"""How learning rate and image size change over a run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A stretch of the run at one image size.

    ``length`` is epochs, or a share of the time where the run is bounded by minutes.
    """

    size: int
    batch: int
    length: float


def parse_phases(text: str, batch: int) -> tuple[Phase, ...]:
    """Phases from ``SIZE[xBATCH]:LENGTH`` separated by commas, such as ``288:20,512x12:8``.

    Raises:
        ValueError: the text is not of that form, or a size is not a multiple of 32.
    """
    phases = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:x(\d+))?:(\d+(?:\.\d+)?)", part.strip())
        if match is None:
            raise ValueError(f"{part!r} is not SIZE:LENGTH or SIZExBATCH:LENGTH, as in 384x12:10.")
        size, length = int(match[1]), float(match[3])
        if size % 32 or size == 0:
            raise ValueError(f"{part!r}: the size must be a multiple of 32.")
        if length <= 0:
            raise ValueError(f"{part!r}: the length must be more than 0.")
        phases.append(Phase(size, int(match[2] or batch), length))
    return tuple(phases)


def phase_at(phases: tuple[Phase, ...], progress: float) -> Phase:
    """The phase that a run is in; ``progress`` is 0 at its start and 1 at its end."""
    total = sum(p.length for p in phases)
    end = 0.0
    for phase in phases:
        end += phase.length
        if progress * total < end - 1e-6:
            return phase
    return phases[-1]


def learning_rate(progress: float, step: int, peak: float, floor: float, warmup: int) -> float:
    """Linear warm-up over ``warmup`` steps, then a cosine from ``peak`` down to ``floor``."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    rate = floor + (peak - floor) * cosine
    return rate * min(1.0, (step + 1) / max(1, warmup))
