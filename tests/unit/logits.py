"""Logits that are no network's, and what they are between their samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noise(grid: int = 16, classes: int = 19) -> NDArray[np.float32]:
    """Logits ``(C, g, g)`` of which no two neighbours are alike."""
    rng = np.random.default_rng(3)
    return rng.normal(0, 2, (classes, grid, grid)).astype(np.float32)


def logits_at(
    logits: NDArray[np.float32], points: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Logits at points ``(P, 2)`` of a crop of ``size`` pixels, ``(C, P)``, by the book."""
    grid = logits.shape[-1]
    q = np.clip(points * (grid - 1) / (size - 1), 0, grid - 1)
    i = np.minimum(q.astype(int), grid - 2)
    f = q - i
    a, b, c, d = (logits[:, i[:, 1] + y, i[:, 0] + x] for y in (0, 1) for x in (0, 1))
    upper, lower = a + (b - a) * f[:, 0], c + (d - c) * f[:, 0]
    return np.asarray(upper + (lower - upper) * f[:, 1])
