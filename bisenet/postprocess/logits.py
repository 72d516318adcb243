"""The network's coarse logits as a bilinear grid over the crop, and which class leads where.

The published code upsamples logits to the crop with ``align_corners=True`` and takes the argmax
there. The grid's boundary cells (``bisenet.postprocess.boundaries``) give the same labels at any
position.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bisenet.postprocess.boundaries import MIXED, BoundaryCells, classes, winners

# Samples of the grid between two of the network's own, along each axis.
FINENESS = 4
# Rows of probabilities that are made at a time: they stay in the CPU's cache.
_BAND_ROWS = 16


def reader(position: NDArray[np.float64], grid: int) -> NDArray[np.float32]:
    """Bilinear interpolation of ``grid`` samples at some positions: ``(P, grid)``."""
    position = np.clip(position, 0, grid - 1)
    low = np.minimum(position.astype(int), max(grid - 2, 0))
    weight = (position - low).astype(np.float32)
    matrix = np.zeros((len(position), grid), dtype=np.float32)
    rows = np.arange(len(position))
    matrix[rows, low] = 1 - weight
    if grid > 1:
        matrix[rows, low + 1] += weight
    return matrix


def to_crop(logits: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Logits ``(C, g, g)`` of the network to ``(C, size, size)``, as the published code does."""
    grid = logits.shape[-1]
    matrix = reader(np.linspace(0.0, grid - 1, size), grid)  # ends on ends: align_corners
    return np.matmul(np.matmul(matrix, logits.astype(np.float32)), matrix.T)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over axis 0."""
    exponent = np.exp(logits - logits.max(axis=0))
    return exponent / exponent.sum(axis=0)


def winning_probability(
    logits: NDArray[np.float32], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The largest probability at positions ``(h,)`` by ``(w,)`` among samples ``(C, g, g)``.

    Args:
        rows: in ascending order.
        columns: in any.

    Returns:
        ``(h, w)``.
    """
    grid = logits.shape[-1]
    wide = np.matmul(logits, reader(columns, grid).T)
    down = reader(rows, grid)
    low = np.clip(rows, 0, max(grid - 2, 0)).astype(int)
    result = np.empty((len(rows), len(columns)), np.float32)
    for top in range(0, len(rows), _BAND_ROWS):
        band = np.s_[top : top + _BAND_ROWS]
        near = np.s_[low[band][0] : low[band][-1] + 2]
        relative = np.matmul(down[band, near], wide[:, near])
        relative -= relative.max(axis=0)
        np.exp(relative, out=relative)
        result[band] = 1 / relative.sum(axis=0)
    return result


@dataclass(frozen=True, eq=False)
class LogitGrid:
    """The logits of a crop, bilinear between ``n`` samples a side.

    Attributes:
        coarse: the network's logits, ``(C, g, g)``, g at least 2; the corner samples lie on the
            centres of the crop's corner pixels.
        size: the crop's side, pixels.
    """

    coarse: NDArray[np.float32]
    size: int

    @property
    def samples(self) -> int:
        """n: samples along each axis."""
        return (self.coarse.shape[-1] - 1) * FINENESS + 1

    @property
    def step(self) -> float:
        """Crop pixels between two samples."""
        return (self.size - 1) / (self.samples - 1)

    @cached_property
    def logits(self) -> NDArray[np.float32]:
        """Logits at the samples, ``(C, n, n)``."""
        return to_crop(self.coarse, self.samples)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The winning class's probability at each sample, ``(n, n)``."""
        axis = np.linspace(0, self.coarse.shape[-1] - 1, self.samples)
        return winning_probability(self.coarse, axis, axis)

    @property
    def cells(self) -> NDArray[np.uint8]:
        """The class of each cell between four samples, ``(n-1, n-1)``; ``MIXED`` where several."""
        return self._divided[0]

    @property
    def boundary(self) -> BoundaryCells:
        """The cells in which labels change."""
        return self._divided[1]

    @cached_property
    def _divided(self) -> tuple[NDArray[np.uint8], BoundaryCells]:
        """The class of each cell, and those in which labels change.

        A patch lies between four of the network's own samples and holds ``FINENESS ** 2`` cells;
        only the K patches whose corners disagree are divided.
        """
        grid = self.coarse.shape[-1]
        patches = classes(winners(self.coarse))
        cells = patches.repeat(FINENESS, axis=0).repeat(FINENESS, axis=1)
        patch = np.flatnonzero(patches == MIXED)
        rows, columns = np.divmod(patch, grid - 1)
        corner = rows * grid + columns + np.array([[0], [1], [grid], [grid + 1]])
        corners = np.take(self.coarse.reshape(len(self.coarse), -1), corner, axis=1)
        side = FINENESS + 1
        step = reader(np.linspace(0, 1, side), 2)
        weights = (step[:, None, :, None] * step[None, :, None, :]).reshape(side * side, 4)
        fine = np.matmul(weights, corners)  # (C, side * side, K)
        inner = winners(fine)
        classed = classes(inner.T.reshape(-1, side, side))
        cells.reshape(grid - 1, FINENESS, grid - 1, FINENESS)[rows, :, columns] = classed
        number, y, x = np.nonzero(classed == MIXED)
        cell = (rows[number] * FINENESS + y) * (self.samples - 1) + columns[number] * FINENESS + x
        at = (y * side + x + np.array([[0], [1], [side], [side + 1]])) * len(patch) + number
        flat = fine.reshape(len(fine), -1)
        return cells, BoundaryCells.of(np.take(flat, at, axis=1), inner.ravel()[at], cell)

    @cached_property
    def _number_of(self) -> NDArray[np.int32]:
        """The number of each cell among the boundary cells; -1 where no label changes."""
        number = np.full(self.cells.size, -1, np.int32)
        number[self.boundary.cell] = np.arange(len(self.boundary.cell))
        return number

    def labels_at(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The class that leads at positions ``(P,)`` in or next to a boundary cell."""
        last = self.samples - 2
        i, j = u.astype(np.int32), v.astype(np.int32)
        np.minimum(i, last, out=i)
        np.minimum(j, last, out=j)
        cell = j * np.int32(last + 1) + i
        number = np.take(self._number_of, cell)
        labels = self.boundary.labels(number, u - i, v - j)
        # A position on the rim between two cells may have been rounded into the uniform one.
        uniform = np.flatnonzero(number < 0)
        labels[uniform] = self.cells.ravel()[cell[uniform]]
        return labels
