"""From the network's coarse logits to labels and confidence at any resolution.

The published code upsamples logits to the crop with ``align_corners=True`` and takes the argmax
there: logits are a bilinear surface over the crop. ``label_window`` reads that surface at every
pixel of a photo, wherever and however turned the crop lies in it, so boundaries are as smooth as
the photo is fine. Labels are never interpolated.

A bilinear patch lies between its corners, so a class that wins at all four corners of a cell wins
inside it: only the cells along boundaries are evaluated, a strip of the photo at a time.
"""

from __future__ import annotations

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
    """The largest probability over axis 0."""
    relative = logits - logits.max(axis=0)
    np.exp(relative, out=relative)
    return np.asarray(1 / relative.sum(axis=0), dtype=np.float32)


# Samples of the logits' surface between two of the network's own, along each axis.
FINENESS = 4
# Photo pixels that are labelled at a time: bounds the memory at any resolution.
STRIP_PIXELS = 1 << 20
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
    corners, so it cannot win inside: the sign of one bilinear difference decides.

    Attributes:
        index: the number of each cell among the M, ``((n-1) * (n-1),)``; -1 where none changes.
        pair: the two classes, ``(2, M)``, the lower id first.
        difference: logit of the first less that of the second as ``d0 + d1 u + d2 v + d3 u v``,
            u and v running from 0 to 1 across the cell, ``(4, M)``.
        corners: the logits themselves, in the same form, in the K cells where a third class may
            win, ``(4, C, K)``.
        rank: each cell's place among those K, ``(M,)``; -1 for a cell of two classes.
    """

    index: NDArray[np.int32]
    pair: NDArray[np.uint8]
    difference: NDArray[np.float32]
    corners: NDArray[np.float32]
    rank: NDArray[np.int32]

    @classmethod
    def of(cls, surface: Surface) -> Seams:
        """Look at every cell whose corners have different winners."""
        n = surface.logits.shape[-1]
        rows, columns = np.nonzero(surface.cells == _MIXED)
        many = len(rows)
        index = np.full((n - 1) * (n - 1), -1, np.int32)
        index[rows * (n - 1) + columns] = np.arange(many, dtype=np.int32)
        corner = rows * n + columns + np.array([[0], [1], [n], [n + 1]])
        winners = surface.labels.ravel()[corner]
        first, second = winners.min(axis=0), winners.max(axis=0)
        logits = surface.logits.reshape(len(surface.logits), -1)
        flat = np.arange(many)
        at = np.take(logits, corner, axis=1)
        low, high = at[first, :, flat].T, at[second, :, flat].T  # (4, M)
        below = (at <= low).all(axis=1) | (at <= high).all(axis=1)
        several = ~below.all(axis=0)
        rank = np.full(many, -1, np.int32)
        rank[several] = np.arange(several.sum(), dtype=np.int32)
        return cls(
            index,
            np.stack([first, second]),
            _polynomial(low - high),
            _polynomial(at[:, :, several].transpose(1, 0, 2)),
            rank,
        )

    def labels(
        self, u: NDArray[np.float64], v: NDArray[np.float64], surface: Surface
    ) -> NDArray[np.uint8]:
        """The class that leads at positions ``(P,)`` among the samples."""
        n = surface.logits.shape[-1]
        i, j = np.minimum(u.astype(np.int32), n - 2), np.minimum(v.astype(np.int32), n - 2)
        fu, fv = (u - i).astype(np.float32), (v - j).astype(np.float32)
        cell = j * (n - 1) + i
        seam = self.index[cell]
        leads = _at(self.difference[:, seam], fu, fv) >= 0
        labels = np.where(leads, self.pair[0, seam], self.pair[1, seam])
        third = np.flatnonzero(self.rank[seam] >= 0)
        corners = self.corners[:, :, self.rank[seam[third]]]
        labels[third] = _at(corners, fu[third], fv[third]).argmax(axis=0)
        # A position on the rim between two cells may have been rounded into the calm one.
        calm = np.flatnonzero(seam < 0)
        labels[calm] = surface.cells.ravel()[cell[calm]]
        return labels


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
    height, width = shape
    surface = Surface.of(logits, size)
    last = surface.logits.shape[-1] - 1
    to_samples = matrix / surface.step
    u = np.clip(to_samples[0, 0] * np.arange(width) + to_samples[0, 2], 0, last)
    v = np.clip(to_samples[1, 1] * np.arange(height) + to_samples[1, 2], 0, last)
    columns, rows = (np.minimum(at.astype(np.intp), last - 1) for at in (u, v))
    labels = np.take(np.take(surface.cells, columns, axis=1), rows, axis=0)
    strip = max(1, STRIP_PIXELS // width)
    for top in range(0, height, strip):
        part = labels[top : top + strip].ravel()
        mixed = np.flatnonzero(part == _MIXED)
        ys, xs = np.divmod(mixed, width)
        part[mixed] = surface.seams.labels(u[xs], v[ys + top], surface)
    return labels, _whole_confidence(logits, size, matrix, shape)


def _whole_confidence(
    logits: NDArray[np.float32], size: int, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    grid = logits.shape[-1]
    readers = []
    for axis, length in enumerate(shape):
        scale, offset = matrix[1 - axis, 1 - axis], matrix[1 - axis, 2]
        count = min(length, max(1, round(length * scale / 2)))
        photo = (np.arange(count) + 0.5) * (length / count) - 0.5
        readers.append(_reader((photo * scale + offset) * (grid - 1) / (size - 1), grid))
    coarse = np.matmul(np.matmul(readers[0], logits.astype(np.float32)), readers[1].T)
    plane = winning_probability(coarse)
    return np.asarray(cv2.resize(plane, (shape[1], shape[0])), dtype=np.float32)


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
        u = np.clip(to_cells[0, 0] * xs + to_cells[0, 1] * ys + to_cells[0, 2], 0, last)
        v = np.clip(to_cells[1, 0] * xs + to_cells[1, 1] * ys + to_cells[1, 2], 0, last)
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


def _polynomial(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear coefficients ``(4, ...)`` from the values at a cell's four corners ``(4, ...)``.

    Corners come as upper left, upper right, lower left, lower right.
    """
    a, b, c, d = corners
    return np.stack([a, b - a, c - a, a - b - c + d])


def _at(
    polynomial: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Values ``(..., P)`` of bilinear polynomials ``(4, ..., P)`` within their cells."""
    d0, d1, d2, d3 = polynomial
    return d0 + d1 * u + (d2 + d3 * u) * v
