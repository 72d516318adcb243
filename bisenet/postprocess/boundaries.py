"""Boundary cells of a logit grid: where labels change, and which class leads there.

A bilinear function lies between its values at the corners, so a class that wins at all four
corners of a cell wins inside it: only the cells along class boundaries are evaluated by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What a cell holds in which labels change.
MIXED = 255


@dataclass(frozen=True, eq=False)
class BoundaryCells:
    """The M cells of a logit grid in which labels change, ready to be read at any point.

    In most of them two classes meet and no other class can win inside: the sign of one bilinear
    difference decides. In the others a few more classes are rivals.

    Attributes:
        cell: which of the grid's cells each is, row by row, ``(M,)``.
        pair: two of the classes that win at its corners, ``(2, M)``, the lower id first.
        difference: logit of the first less that of the second as ``d0 + d1 u + d2 v + d3 u v``,
            u and v running from 0 to 1 across the cell, ``(M, 4)``.
        rank: each cell's place among the K where a third class may win, ``(M,)``; -1 elsewhere.
        count: how many classes may win in those, ``(K,)``, descending.
        rivals: those classes by id, ``(R, K)``; fewer are filled up with classes that cannot.
        heights: the rivals' logits, in the same form, ``(4, R, K)``.
    """

    cell: NDArray[np.int64]
    pair: NDArray[np.uint8]
    difference: NDArray[np.float32]
    rank: NDArray[np.int32]
    count: NDArray[np.int64]
    rivals: NDArray[np.uint8]
    heights: NDArray[np.float32]

    @classmethod
    def of(
        cls, at: NDArray[np.float32], winners: NDArray[np.uint8], cell: NDArray[np.int64]
    ) -> BoundaryCells:
        """From the cells' corners.

        Args:
            at: logits, ``(C, 4, M)``: upper left, upper right, lower left, lower right.
            winners: the class that wins there, ``(4, M)``.
            cell: which cells they are, ``(M,)``.
        """
        many = np.arange(len(cell), dtype=np.int32)
        first, second = winners.min(axis=0), winners.max(axis=0)
        low, high = at[first, :, many].T, at[second, :, many].T  # (4, M)
        # One that is nowhere above one of the two, or above their mean, never leads. (C, M)
        able = _above(at, low) & _above(at, high) & _above(at, (low + high) * np.float32(0.5))
        able[first, many] = able[second, many] = True
        count = able.sum(axis=0)
        several = np.argsort(-count, kind="stable")[: np.count_nonzero(count > 2)]
        rank = np.full(len(cell), -1, np.int32)
        rank[several] = many[: len(several)]
        most = int(count[several].max(initial=0))
        rivals = np.argsort(~able[:, several], axis=0, kind="stable")[:most]
        return cls(
            cell,
            np.stack([first, second]),
            np.stack(_polynomial(low - high), axis=1),
            rank,
            count[several],
            rivals.astype(np.uint8),
            np.stack(_polynomial(at[rivals, :, several].transpose(2, 0, 1))),
        )

    def labels(
        self, number: NDArray[np.signedinteger], fu: NDArray[np.float32], fv: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """The class that leads at positions within boundary cells.

        Args:
            number: which of the M cells, ``(P,)``.
            fu: how far across the cell, 0..1, ``(..., P)``.
            fv: how far down; the two are broadcast against each other.
        """
        first, second = np.take(self.pair, number, axis=1)
        leads = _at(np.take(self.difference, number, axis=0).T, fu, fv) >= 0
        # One or the other: bytes wrap around, and this is several times quicker than to choose.
        labels = leads.view(np.uint8)
        labels *= first - second
        labels += second
        rank = np.take(self.rank, number)
        third = np.flatnonzero(rank >= 0)
        if len(third):
            third = third[np.argsort(rank[third], kind="stable")]
            labels[..., third] = self._of_several(rank[third], fu[..., third], fv[..., third])
        return labels

    def _of_several(
        self, rank: NDArray[np.int32], fu: NDArray[np.float32], fv: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """The rival that leads at places within cells given by their rank, ``(P,)``, ascending."""
        rivals, heights, count = self.rivals[:, rank], self.heights[:, :, rank], self.count[rank]
        best = _at(heights[:, 0], fu, fv)
        labels = np.broadcast_to(rivals[0], best.shape).copy()
        for rival in range(1, int(count[0])):
            here = np.s_[..., : np.count_nonzero(count > rival)]
            value = _at(heights[:, rival][here], fu[here], fv[here])
            np.copyto(labels[here], rivals[rival][here], where=value > best[here])
            np.maximum(best[here], value, out=best[here])
        return labels


def winners(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Argmax over axis 0; plane by plane is several times faster."""
    best = logits[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for class_id, plane in enumerate(logits[1:], start=1):
        labels[plane > best] = class_id
        np.maximum(best, plane, out=best)
    return labels


def classes(winners: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The class of each cell between four samples ``(..., h, w)``, ``MIXED`` where they differ."""
    a, b = winners[..., :-1, :-1], winners[..., :-1, 1:]
    c, d = winners[..., 1:, :-1], winners[..., 1:, 1:]
    return np.where((a == b) & (a == c) & (a == d), a, MIXED).astype(np.uint8)


def _above(at: NDArray[np.float32], bound: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each class is above the bound ``(4, M)`` at any corner, ``(C, M)``."""
    above = at > bound
    result: NDArray[np.bool_] = above[:, 0] | above[:, 1] | above[:, 2] | above[:, 3]
    return result


def _polynomial(corners: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Four bilinear coefficients from the values at a cell's four corners ``(4, ...)``."""
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
