"""The network's coarse logits as a surface over the crop, and which class leads where on it.

The published code upsamples logits to the crop with ``align_corners=True`` and takes the argmax
there: logits are a bilinear surface over the crop. A bilinear patch lies between its corners, so a
class that wins at all four corners of a cell wins inside it: only the cells along boundaries are
looked at more closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# Samples of the surface between two of the network's own, along each axis.
FINENESS = 4
# What a cell holds in which labels change.
MIXED = 255
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


def winning_probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest probability over axis 0 of ``(C, h, w)``."""
    result = np.empty(logits.shape[1:], np.float32)
    for top in range(0, len(result), _BAND_ROWS):
        band = logits[:, top : top + _BAND_ROWS]
        relative = band - band.max(axis=0)
        np.exp(relative, out=relative)
        result[top : top + _BAND_ROWS] = 1 / relative.sum(axis=0)
    return result


@dataclass(frozen=True, eq=False)
class Surface:
    """The logits of a crop as a bilinear surface with ``n`` samples a side.

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
        """The surface at its samples, ``(C, n, n)``."""
        return to_crop(self.coarse, self.samples)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The winning class's probability at each sample, ``(n, n)``."""
        return winning_probability(self.logits)

    @property
    def cells(self) -> NDArray[np.uint8]:
        """The class of each cell between four samples, ``(n-1, n-1)``; ``MIXED`` where several."""
        return self._parted[0]

    @property
    def seams(self) -> Seams:
        """The cells in which labels change."""
        return self._parted[1]

    @cached_property
    def _parted(self) -> tuple[NDArray[np.uint8], Seams]:
        """Cells and seams; only where the coarse winners differ are finer samples looked at."""
        grid = self.coarse.shape[-1]
        winners = _winners(self.coarse)
        calm = _classes(winners[None])[0]
        rows, columns = np.nonzero(calm == MIXED)
        cells = calm.repeat(FINENESS, axis=0).repeat(FINENESS, axis=1)
        corner = rows * grid + columns + np.array([[0], [1], [grid], [grid + 1]])
        corners = self.coarse.reshape(len(self.coarse), -1)[:, corner]  # (C, 4, K)
        side = FINENESS + 1
        step = reader(np.linspace(0, 1, side), 2)
        weights = (step[:, None, :, None] * step[None, :, None, :]).reshape(side * side, 4)
        fine = np.matmul(weights, corners)  # (C, side * side, K)
        inner = _winners(fine)
        classes = _classes(inner.T.reshape(-1, side, side))
        cells.reshape(grid - 1, FINENESS, grid - 1, FINENESS)[rows, :, columns] = classes
        patch, y, x = np.nonzero(classes == MIXED)
        place = (rows[patch] * FINENESS + y) * (self.samples - 1) + columns[patch] * FINENESS + x
        sample = y * side + x + np.array([[0], [1], [side], [side + 1]])
        at = sample * len(rows) + patch
        flat = fine.reshape(len(fine), -1)
        return cells, Seams.of(np.take(flat, at, axis=1), inner.ravel()[at], place, cells.size)

    def labels_at(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The class that leads at positions ``(P,)`` among the samples, in or next to a seam."""
        last = self.samples - 2
        i, j = u.astype(np.int32), v.astype(np.int32)
        np.minimum(i, last, out=i)
        np.minimum(j, last, out=j)
        cell = j * np.int32(last + 1) + i
        seam = np.take(self.seams.index, cell)
        labels = self.seams.labels(seam, u - i, v - j)
        # A position on the rim between two cells may have been rounded into the calm one.
        calm = np.flatnonzero(seam < 0)
        labels[calm] = self.cells.ravel()[cell[calm]]
        return labels


@dataclass(frozen=True, eq=False)
class Seams:
    """The M cells of a surface in which labels change, ready to be read at any point.

    In most of them two classes meet and every other class lies below one of the two at all four
    corners, so it cannot win inside: the sign of one bilinear difference decides. In the others
    a few more classes are rivals.

    Attributes:
        cell: which of the surface's cells each is, row by row, ``(M,)``.
        index: the number of each of the surface's cells among the M; -1 where none changes.
        pair: the two classes, ``(2, M)``, the lower id first.
        difference: logit of the first less that of the second as ``d0 + d1 u + d2 v + d3 u v``,
            u and v running from 0 to 1 across the cell, ``(M, 4)``.
        rank: each cell's place among the K where a third class may win, ``(M,)``; -1 elsewhere.
        rivals: the R classes that may win in those, ``(R, K)``, by id; fewer are filled up with
            classes that cannot.
        heights: the rivals' logits, in the same form, ``(4, R, K)``.
    """

    cell: NDArray[np.int64]
    index: NDArray[np.int32]
    pair: NDArray[np.uint8]
    difference: NDArray[np.float32]
    rank: NDArray[np.int32]
    rivals: NDArray[np.uint8]
    heights: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        at: NDArray[np.float32],
        winners: NDArray[np.uint8],
        cell: NDArray[np.int64],
        cells: int,
    ) -> Seams:
        """From the M cells' corners.

        Args:
            at: logits, ``(C, 4, M)``.
            winners: the class that wins there, ``(4, M)``.
            cell: which cells they are, ``(M,)``.
            cells: how many the surface has.
        """
        many = np.arange(len(cell), dtype=np.int32)
        index = np.full(cells, -1, np.int32)
        index[cell] = many
        first, second = winners.min(axis=0), winners.max(axis=0)
        low, high = at[first, :, many].T, at[second, :, many].T  # (4, M)
        # (C, M)
        may_win = np.logical_and((at > low).any(axis=1), (at > high).any(axis=1))
        several = np.flatnonzero(may_win.any(axis=0))
        rank = np.full(len(cell), -1, np.int32)
        rank[several] = many[: len(several)]
        may_win[first, many] = may_win[second, many] = True
        able = may_win[:, several]
        most = int(able.sum(axis=0).max(initial=0))
        rivals = np.sort(np.argsort(~able, axis=0, kind="stable")[:most], axis=0)
        return cls(
            cell,
            index,
            np.stack([first, second]),
            np.stack(_polynomial(low - high), axis=1),
            rank,
            rivals.astype(np.uint8),
            np.stack(_polynomial(at[rivals, :, several].transpose(2, 0, 1))),
        )

    def labels(
        self, seam: NDArray[np.signedinteger], fu: NDArray[np.float32], fv: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """The class that leads at places within seams.

        Args:
            seam: their numbers, ``(P,)``.
            fu: how far across the cell, 0..1, ``(..., P)``.
            fv: how far down; the two are broadcast against each other.
        """
        leads = _at(np.take(self.difference, seam, axis=0).T, fu, fv) >= 0
        labels = np.where(leads, np.take(self.pair[0], seam), np.take(self.pair[1], seam))
        third = np.flatnonzero(np.take(self.rank, seam) >= 0)
        if len(third):
            rank = self.rank[seam[third]]
            labels[..., third] = self._of_several(rank, fu[..., third], fv[..., third])
        return labels

    def _of_several(
        self, rank: NDArray[np.int32], fu: NDArray[np.float32], fv: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """The rival that leads at places within cells given by their rank, ``(P,)``."""
        rivals, heights = self.rivals[:, rank], self.heights[:, :, rank]
        best = _at(heights[:, 0], fu, fv)
        labels = np.broadcast_to(rivals[0], best.shape).copy()
        for rival, height in zip(rivals[1:], heights.transpose(1, 0, 2)[1:], strict=True):
            value = _at(height, fu, fv)
            np.copyto(labels, rival, where=value > best)
            np.maximum(best, value, out=best)
        return labels


def _winners(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Argmax over axis 0; plane by plane is several times faster."""
    best = logits[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for class_id, plane in enumerate(logits[1:], start=1):
        labels[plane > best] = class_id
        np.maximum(best, plane, out=best)
    return labels


def _classes(winners: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The class of each cell between four samples ``(..., h, w)``, ``MIXED`` where they differ."""
    a, b = winners[:, :-1, :-1], winners[:, :-1, 1:]
    c, d = winners[:, 1:, :-1], winners[:, 1:, 1:]
    return np.where((a == b) & (a == c) & (a == d), a, MIXED).astype(np.uint8)


def _polynomial(corners: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Four bilinear coefficients from the values at a cell's four corners ``(4, ...)``.

    Corners come as upper left, upper right, lower left, lower right.
    """
    a, b, c, d = corners
    return a, b - a, c - a, a - b - c + d


def _at(
    polynomial: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Values ``(..., P)`` of bilinear polynomials ``(4, P)`` within their cells."""
    d0, d1, d2, d3 = polynomial
    values: NDArray[np.float32] = (d3 * u + d2) * v
    values += d1 * u + d0
    return values
