"""From the network's coarse logits to labels and confidence at any resolution.

The published code upsamples logits to the crop with ``align_corners=True`` and takes the argmax
there: logits are a bilinear surface over the crop. ``label_window`` reads that surface at every
pixel of a photo, wherever and however turned the crop lies in it, so boundaries are as smooth as
the photo is fine. Labels are never interpolated.

A bilinear patch lies between its corners, so a class that wins at all four corners of a cell wins
inside it: only the cells along boundaries are evaluated, a strip of the photo at a time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Rect = tuple[int, int, int, int]


def _reader(position: NDArray[np.float64], grid: int) -> NDArray[np.float32]:
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
    matrix = _reader(np.linspace(0.0, grid - 1, size), grid)  # ends on ends: align_corners
    return np.matmul(np.matmul(matrix, logits.astype(np.float32)), matrix.T)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over axis 0."""
    exponent = np.exp(logits - logits.max(axis=0))
    return exponent / exponent.sum(axis=0)


def winning_probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest probability over axis 0 of ``(C, h, w)``."""
    result = np.empty(logits.shape[1:], np.float32)
    # A few rows at a time stay in the CPU's cache.
    for top in range(0, len(result), BAND_ROWS):
        band = logits[:, top : top + BAND_ROWS]
        relative = band - band.max(axis=0)
        np.exp(relative, out=relative)
        result[top : top + BAND_ROWS] = 1 / relative.sum(axis=0)
    return result


# Samples of the logits' surface between two of the network's own, along each axis.
FINENESS = 4
# Photo pixels that are labelled at a time: bounds the memory at any resolution.
STRIP_PIXELS = 1 << 20
BAND_ROWS = 16
_MIXED, _OUTSIDE = 255, 254


@dataclass(frozen=True, eq=False)
class Surface:
    """The logits of a crop as a bilinear surface, sampled finely: ``(C, n, n)``.

    Attributes:
        logits: ``(C, n, n)``; the corner samples lie on the centres of the crop's corner pixels.
        size: the crop's side, pixels.
    """

    logits: NDArray[np.float32]
    size: int

    @classmethod
    def of(cls, logits: NDArray[np.float32], size: int) -> Surface:
        """From the network's ``(C, g, g)``; refining does not change a bilinear surface."""
        return cls(to_crop(logits, (logits.shape[-1] - 1) * FINENESS + 1), size)

    @property
    def step(self) -> float:
        """Crop pixels between two samples."""
        return (self.size - 1) / (self.logits.shape[-1] - 1)

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """The winning class at each sample, ``(n, n)``."""
        # Plane by plane: several times faster than argmax over the first axis.
        best = self.logits[0].copy()
        labels = np.zeros(best.shape, np.uint8)
        for class_id, plane in enumerate(self.logits[1:], start=1):
            labels[plane > best] = class_id
            np.maximum(best, plane, out=best)
        return labels

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The winning class's probability at each sample, ``(n, n)``."""
        return winning_probability(self.logits)

    @cached_property
    def cells(self) -> NDArray[np.uint8]:
        """The class of each cell between four samples, ``(n-1, n-1)``; 255 where they differ."""
        w = self.labels
        same = (w[:-1, :-1] == w[1:, :-1]) & (w[:-1, 1:] == w[1:, 1:]) & (w[:-1, :-1] == w[:-1, 1:])
        return np.where(same, w[:-1, :-1], _MIXED).astype(np.uint8)

    @cached_property
    def seams(self) -> Seams:
        """The cells in which labels change."""
        return Seams.of(self)


@dataclass(frozen=True, eq=False)
class Seams:
    """The M cells of a surface in which labels change, ready to be read at any point.

    In most of them two classes meet and every other class lies below one of the two at all four
    corners, so it cannot win inside: the sign of one bilinear difference decides. In the others
    a few more classes are rivals.

    Attributes:
        index: the number of each cell among the M, ``((n-1) * (n-1),)``; -1 where none changes.
        pair: the two classes, ``(M, 2)``, the lower id first.
        difference: logit of the first less that of the second as ``d0 + d1 u + d2 v + d3 u v``,
            u and v running from 0 to 1 across the cell, ``(M, 4)``.
        rank: each cell's place among the K where a third class may win, ``(M,)``; -1 elsewhere.
        rivals: the R classes that may win in those, ``(R, K)``, by id; fewer are filled up with
            classes that cannot.
        heights: the rivals' logits, in the same form, ``(4, R, K)``.
    """

    index: NDArray[np.int32]
    pair: NDArray[np.uint8]
    difference: NDArray[np.float32]
    rank: NDArray[np.int32]
    rivals: NDArray[np.uint8]
    heights: NDArray[np.float32]

    @classmethod
    def of(cls, surface: Surface) -> Seams:
        """Look at every cell whose corners have different winners."""
        n = surface.logits.shape[-1]
        rows, columns = np.divmod(np.flatnonzero(surface.cells == _MIXED), n - 1)
        many = len(rows)
        index = np.full((n - 1) * (n - 1), -1, np.int32)
        index[rows * (n - 1) + columns] = np.arange(many, dtype=np.int32)
        corner = rows * n + columns + np.array([[0], [1], [n], [n + 1]])
        winners = surface.labels.ravel()[corner]
        first, second = winners.min(axis=0), winners.max(axis=0)
        logits = surface.logits.reshape(len(surface.logits), -1)
        at = np.take(logits, corner, axis=1)  # (C, 4, M)
        cell = np.arange(many)
        low, high = at[first, :, cell].T, at[second, :, cell].T  # (4, M)
        may_win = (at > low).any(axis=1) & (at > high).any(axis=1)  # (C, M)
        several = np.flatnonzero(may_win.any(axis=0))
        rank = np.full(many, -1, np.int32)
        rank[several] = np.arange(len(several), dtype=np.int32)
        may_win[first, cell] = may_win[second, cell] = True
        able = may_win[:, several]
        most = int(able.sum(axis=0).max(initial=0))
        rivals = np.sort(np.argsort(~able, axis=0, kind="stable")[:most], axis=0)
        heights = at[rivals, :, several].transpose(2, 0, 1)  # (4, R, K)
        return cls(
            index,
            np.stack([first, second], axis=1),
            np.stack(_polynomial(low - high), axis=1),
            rank,
            rivals.astype(np.uint8),
            np.stack(_polynomial(heights)),
        )

    def labels(
        self, u: NDArray[np.float32], v: NDArray[np.float32], surface: Surface
    ) -> NDArray[np.uint8]:
        """The class that leads at positions ``(P,)`` among the samples."""
        n = surface.logits.shape[-1]
        i, j = u.astype(np.int32), v.astype(np.int32)
        np.minimum(i, n - 2, out=i)
        np.minimum(j, n - 2, out=j)
        fu, fv = u - i, v - j
        cell = j * np.int32(n - 1) + i
        seam = np.take(self.index, cell)
        trails = _at(np.take(self.difference, seam, axis=0).T, fu, fv) < 0
        labels = np.take(self.pair.ravel(), 2 * seam + trails)
        third = np.flatnonzero(np.take(self.rank, seam) >= 0)
        if len(third):
            labels[third] = self._of_several(self.rank[seam[third]], fu[third], fv[third])
        # A position on the rim between two cells may have been rounded into the calm one.
        calm = np.flatnonzero(seam < 0)
        labels[calm] = surface.cells.ravel()[cell[calm]]
        return labels

    def _of_several(
        self, rank: NDArray[np.int32], fu: NDArray[np.float32], fv: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """The rival that leads at positions within cells given by their rank, ``(P,)``."""
        heights = _at(np.take(self.heights, rank, axis=2), fu, fv)
        leads = heights.argmax(axis=0)
        return np.asarray(self.rivals[leads, rank])


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
        confidence = second.submit(_whole_confidence, logits, size, matrix, shape)
        return _whole_labels(logits, size, matrix, shape), confidence.result()


def _whole_labels(
    logits: NDArray[np.float32], size: int, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    height, width = shape
    surface = Surface.of(logits, size)
    n = surface.logits.shape[-1]
    to_samples = matrix / surface.step
    u, v = (
        np.clip(to_samples[axis, axis] * np.arange(length) + to_samples[axis, 2], 0, n - 1)
        for axis, length in enumerate((width, height))
    )
    columns, rows = (np.minimum(at.astype(np.intp), n - 2) for at in (u, v))
    labels = np.take(np.take(surface.cells, columns, axis=1), rows, axis=0)
    u, v = u.astype(np.float32), v.astype(np.float32)
    strip = max(1, STRIP_PIXELS // width)
    for top in range(0, height, strip):
        part = labels[top : top + strip].ravel()
        mixed = np.flatnonzero(part == _MIXED)
        ys, xs = np.divmod(mixed, width)
        part[mixed] = surface.seams.labels(u[xs], v[ys + top], surface)
    return labels


def _whole_confidence(
    logits: NDArray[np.float32], size: int, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Read where OpenCV can enlarge it from: that is several times quicker than to warp it."""
    grid = logits.shape[-1]
    rows, columns = (
        _reader((_middles(length, scale) * scale + offset) * (grid - 1) / (size - 1), grid)
        for length, scale, offset in (
            (shape[0], matrix[1, 1], matrix[1, 2]),
            (shape[1], matrix[0, 0], matrix[0, 2]),
        )
    )
    plane = winning_probability(np.matmul(rows, np.matmul(logits, columns.T)))
    return np.asarray(cv2.resize(plane, (shape[1], shape[0])), dtype=np.float32)


def _middles(length: int, scale: float) -> NDArray[np.float64]:
    """Middles of the pixels of a photo's side were it shrunk to one for two of the crop's."""
    count = min(length, max(1, round(length * scale / 2)))
    return np.asarray((np.arange(count) + 0.5) * (length / count) - 0.5, np.float64)


def label_window(
    surface: Surface, matrix: NDArray[np.float64], window: Rect
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Label every pixel of a photo's window that a crop covers.

    Args:
        surface: the crop's logits.
        matrix: ``(2, 3)``, from the photo's pixels to the crop's.
        window: x, y, width, height in the photo.

    Returns:
        Labels ``(h, w)``, background where the crop does not reach, and where it does.
    """
    x, y, width, height = window
    to_cells = _to_samples(surface, matrix, (x, y))
    # The nearest cell: cell i lies between samples i and i + 1, so its centre is at i + 0.5.
    nearest = to_cells.copy()
    nearest[:, 2] -= 0.5
    last = surface.logits.shape[-1] - 1
    labels = np.empty((height, width), np.uint8)
    rows = max(1, STRIP_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        strip = labels[top : top + rows]
        here = nearest.copy()
        here[:, 2] += here[:, 1] * top
        cv2.warpAffine(
            surface.cells,
            here,
            (width, strip.shape[0]),
            dst=strip,
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(_OUTSIDE,),
        )
        mixed = np.flatnonzero(strip == _MIXED)
        ys, xs = np.divmod(mixed, width)
        ys += top
        u, v = (np.clip(a * xs + b * ys + c, 0, last).astype(np.float32) for a, b, c in to_cells)
        strip.ravel()[mixed] = surface.seams.labels(u, v, surface)
    covered = labels != _OUTSIDE
    labels[~covered] = 0
    return labels, covered


def warp_plane(
    plane: NDArray[np.float32],
    surface: Surface,
    matrix: NDArray[np.float64],
    window: Rect,
) -> NDArray[np.float32]:
    """Values at a surface's samples ``(n, n)`` read at every pixel of a window, ``(h, w)``."""
    x, y, width, height = window
    warped = cv2.warpAffine(
        plane,
        _to_samples(surface, matrix, (x, y)),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, dtype=np.float32)


def _to_samples(
    surface: Surface, matrix: NDArray[np.float64], origin: tuple[int, int]
) -> NDArray[np.float64]:
    """From pixels of a window that begins at ``origin`` to positions among the samples."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ origin
    return shifted / surface.step


def _polynomial(corners: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Four bilinear coefficients from the values at a cell's four corners ``(4, ...)``.

    Corners come as upper left, upper right, lower left, lower right.
    """
    a, b, c, d = corners
    return a, b - a, c - a, a - b - c + d


def _at(
    polynomial: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Values ``(..., P)`` of bilinear polynomials ``(4, ..., P)`` within their cells."""
    d0, d1, d2, d3 = polynomial
    values = d3 * u
    values += d2
    values *= v
    values += d1 * u
    values += d0
    return np.asarray(values)
