"""Labels and confidence of a whole photo that lies upright in the crop: the quick way.

A cell of the logit grid then is a rectangle of the photo's pixels, so the labels are set rectangle
by rectangle, and confidence is read at half the crop's resolution and enlarged.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from bisenet.postprocess.boundaries import BoundaryCells
from bisenet.postprocess.logits import LogitGrid, winning_probability

# Photo pixels that are labelled at a time: bounds the memory at any resolution.
BLOCK_PIXELS = 1 << 20


def read_whole(
    logits: NDArray[np.float32], size: int, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and confidence of a whole photo that lies upright in the crop.

    Args:
        logits: the network's, ``(C, g, g)``.
        size: the crop's side, pixels.
        matrix: ``(2, 3)``, from the photo's pixels to the crop's; no turn.
        shape: the photo's height and width.

    Returns:
        Labels ``(H, W)``, exactly as the argmax of the logits there; and the winning class's
        probability ``(H, W)``, read between samples two pixels of the crop apart.
    """
    with ThreadPoolExecutor(1) as second:
        confidence = second.submit(_confidence, logits, size, matrix, shape)
        return _labels(LogitGrid(logits, size), matrix, shape), confidence.result()


def _labels(
    logit_grid: LogitGrid, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    frame = _Frame.of(logit_grid, matrix, shape)
    labels = frame.uniform(logit_grid.cells)
    frame.put(labels, logit_grid.boundary)
    return labels


@dataclass(frozen=True, eq=False)
class _Axis:
    """Which of a photo's rows, or columns, lie in which of the N cells along an axis.

    Attributes:
        cell: the cell that each pixel lies in, ``(P,)``.
        first: the first pixel in each cell, ``(N,)``.
        count: how many lie in it, ``(N,)``.
        fraction: how far across its cell each pixel lies, 0..1, ``(P,)``.
    """

    cell: NDArray[np.intp]
    first: NDArray[np.intp]
    count: NDArray[np.intp]
    fraction: NDArray[np.float32]

    @classmethod
    def of(cls, length: int, scale: float, offset: float, cells: int) -> _Axis:
        """Of ``length`` pixels, each ``scale`` cells from the last."""
        position = np.clip(np.arange(length) * scale + offset, 0, cells)
        cell = np.minimum(position.astype(np.intp), cells - 1)
        bounds = np.searchsorted(cell, np.arange(cells + 1))
        return cls(cell, bounds[:-1], np.diff(bounds), (position - cell).astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Frame:
    """How a photo's pixels lie in a logit grid's cells: each holds a rectangle of them."""

    rows: _Axis
    columns: _Axis

    @classmethod
    def of(
        cls, logit_grid: LogitGrid, matrix: NDArray[np.float64], shape: tuple[int, int]
    ) -> _Frame:
        cells = logit_grid.samples - 1
        (across, _, x), (_, down, y) = matrix / logit_grid.step
        return cls(_Axis.of(shape[0], down, y, cells), _Axis.of(shape[1], across, x, cells))

    def uniform(self, cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Every pixel's cell's class."""
        return np.take(np.take(cells, self.columns.cell, axis=1), self.rows.cell, axis=0)

    def put(self, labels: NDArray[np.uint8], boundary: BoundaryCells) -> None:
        """Set the labels within boundary cells."""
        down, across = np.divmod(boundary.cell, len(self.columns.count))
        heights, widths = self.rows.count[down], self.columns.count[across]
        wanted = (heights > 0) & (widths > 0)
        for height, width in product(np.unique(heights).tolist(), np.unique(widths).tolist()):
            number = np.flatnonzero(wanted & (heights == height) & (widths == width))
            step = max(1, BLOCK_PIXELS // max(1, height * width))
            for start in range(0, len(number), step):
                self._put_alike(labels, boundary, number[start : start + step], (height, width))

    def _put_alike(
        self,
        labels: NDArray[np.uint8],
        boundary: BoundaryCells,
        number: NDArray[np.intp],
        extent: tuple[int, int],
    ) -> None:
        """Set the labels within boundary cells of ``extent`` pixels each, rows and columns."""
        down, across = np.divmod(boundary.cell[number], len(self.columns.count))
        y, x = self.rows.first[down], self.columns.first[across]
        # The cells last: numpy is quickest along a long last axis.
        fv = self.rows.fraction[y + np.arange(extent[0])[:, None, None]]
        fu = self.columns.fraction[x + np.arange(extent[1])[:, None]]
        # Blocks that begin at each pixel; the last ones lie beyond the photo and are not written.
        blocks = as_strided(labels, (*labels.shape, *extent), 2 * labels.strides)
        blocks[y, x] = boundary.labels(number, fu, fv).transpose(2, 0, 1)


def _confidence(
    logits: NDArray[np.float32], size: int, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Read where OpenCV can enlarge it from: that is several times quicker than to warp it."""
    grid = logits.shape[-1]
    rows, columns = (
        (_middles(length, scale) * scale + offset) * (grid - 1) / (size - 1)
        for length, scale, offset in (
            (shape[0], matrix[1, 1], matrix[1, 2]),
            (shape[1], matrix[0, 0], matrix[0, 2]),
        )
    )
    plane = winning_probability(logits, rows, columns)
    return np.asarray(cv2.resize(plane, (shape[1], shape[0])), dtype=np.float32)


def _middles(length: int, scale: float) -> NDArray[np.float64]:
    """Middles of the pixels of a photo's side were it shrunk to one for two of the crop's."""
    count = min(length, max(1, round(length * scale / 2)))
    return np.asarray((np.arange(count) + 0.5) * (length / count) - 0.5, np.float64)
