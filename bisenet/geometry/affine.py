"""Matrices ``(2, 3)`` from a photo's pixels to somewhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def from_part(matrix: NDArray[np.float64], origin: tuple[float, float]) -> NDArray[np.float64]:
    """The same way from the pixels of a part of the photo that begins at ``origin`` (x, y)."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ origin
    return moved


def from_shrunk(matrix: NDArray[np.float64], factor: tuple[float, float]) -> NDArray[np.float64]:
    """The same way from the photo after it was shrunk ``factor`` times (x, y)."""
    scaled = matrix.copy()
    scaled[:, 2] += matrix[:, :2] @ (0.5 * np.array(factor) - 0.5)
    scaled[:, :2] *= factor
    return scaled
