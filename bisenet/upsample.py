"""From the network's coarse logits to labels and confidence at any resolution.

The published code upsamples logits to the crop with ``align_corners=True`` and takes the argmax
there: logits are a bilinear surface over the crop. ``label_window`` reads that surface at every
pixel of a photo, wherever and however turned the crop lies in it, so boundaries are as smooth as
the photo is fine. Labels are never interpolated.

A bilinear patch lies between its corners, so a class that wins at all four corners of a cell wins
inside it: only the cells along boundaries are evaluated, a strip of the photo at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Rect = tuple[int, int, int, int]


def align_corners_matrix(size: int, grid: int) -> NDArray[np.float32]:
    """Bilinear interpolation from ``grid`` to ``size`` samples, ends on ends: ``(size, grid)``."""
    position = np.linspace(0.0, grid - 1, size)
    low = np.minimum(position.astype(int), max(grid - 2, 0))
    weight = (position - low).astype(np.float32)
    matrix = np.zeros((size, grid), dtype=np.float32)
    rows = np.arange(size)
    matrix[rows, low] = 1 - weight
    if grid > 1:
        matrix[rows, low + 1] += weight
    return matrix


def to_crop(logits: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Logits ``(C, g, g)`` of the network to ``(C, size, size)``, as the published code does."""
    matrix = align_corners_matrix(size, logits.shape[-1])
    return np.matmul(np.matmul(matrix, logits.astype(np.float32)), matrix.T)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over axis 0."""
    exponent = np.exp(logits - logits.max(axis=0))
    return exponent / exponent.sum(axis=0)


def label_pixels(
    logits: NDArray[np.float32], content: Rect, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Label every pixel of the part of a photo that a crop shows.

    Args:
        logits: ``(C, S, S)`` at the crop's resolution.
        content: the rectangle of the crop that the photo fills, ``x, y, width, height``.
        shape: height and width of that part in the photo's pixels.

    Returns:
        Labels ``(H, W)`` and the winning class's probability ``(H, W)``.
    """
    x, y, width, height = content
    inside = np.ascontiguousarray(logits[:, y : y + height, x : x + width])
    labels = inside.argmax(axis=0).astype(np.uint8)
    confidence = softmax(inside).max(axis=0)
    if shape == (height, width):
        return labels, confidence
    target = (shape[1], shape[0])
    # A class that wins nowhere in the crop cannot lead between two of its pixels by more than
    # rounding: only winners are carried on.
    winners = np.unique(labels)
    return (
        _argmax_resized(inside, winners, target),
        cv2.resize(confidence, target, interpolation=cv2.INTER_LINEAR),
    )


def _argmax_resized(
    logits: NDArray[np.float32], classes: Iterable[int], target: tuple[int, int]
) -> NDArray[np.uint8]:
    first, *others = (int(c) for c in classes)
    best = cv2.resize(logits[first], target, interpolation=cv2.INTER_LINEAR)
    labels = np.full(best.shape, first, dtype=np.uint8)
    for class_id in others:
        score = cv2.resize(logits[class_id], target, interpolation=cv2.INTER_LINEAR)
        labels[score > best] = class_id
        np.maximum(best, score, out=best)
    return labels


def resize_plane(
    plane: NDArray[np.float32], content: Rect, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """One plane ``(S, S)`` of a crop at the photo's resolution ``(H, W)``."""
    x, y, width, height = content
    inside = np.ascontiguousarray(plane[y : y + height, x : x + width])
    if shape == (height, width):
        return inside
    return cv2.resize(inside, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


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
        return self.logits.argmax(axis=0).astype(np.uint8)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The winning class's probability at each sample, ``(n, n)``."""
        relative = np.exp(self.logits - self.logits.max(axis=0))
        return np.asarray(1 / relative.sum(axis=0), dtype=np.float32)

    @cached_property
    def cells(self) -> NDArray[np.uint8]:
        """The class of each cell between four samples, ``(n-1, n-1)``; 255 where they differ."""
        w = self.labels
        same = (w[:-1, :-1] == w[1:, :-1]) & (w[:-1, 1:] == w[1:, 1:]) & (w[:-1, :-1] == w[:-1, 1:])
        return np.where(same, w[:-1, :-1], _MIXED).astype(np.uint8)


def label_window(
    surface: Surface, inverse: NDArray[np.float64], window: Rect
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Label every pixel of a photo's window that a crop covers.

    Args:
        surface: the crop's logits.
        inverse: ``(2, 3)``, from the photo's pixels to the crop's.
        window: x, y, width, height in the photo.

    Returns:
        Labels ``(h, w)``, background where the crop does not reach, and where it does.
    """
    x, y, width, height = window
    to_cells = _to_samples(surface, inverse, (x, y))
    # The nearest cell: cell i lies between samples i and i + 1, so its centre is at i + 0.5.
    nearest = to_cells.copy()
    nearest[:, 2] -= 0.5
    winners = np.unique(surface.labels)
    # One row a sample, so that a pixel's four corners are four reads.
    samples = np.ascontiguousarray(surface.logits[winners].reshape(len(winners), -1).T)
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
        won = _winner(samples, surface.logits.shape[-1], to_cells, xs, ys + top)
        strip.ravel()[mixed] = winners[won]
    covered = labels != _OUTSIDE
    labels[~covered] = 0
    return labels, covered


def warp_plane(
    plane: NDArray[np.float32],
    surface: Surface,
    inverse: NDArray[np.float64],
    window: Rect,
) -> NDArray[np.float32]:
    """Values at a surface's samples ``(n, n)`` read at every pixel of a window, ``(h, w)``."""
    x, y, width, height = window
    warped = cv2.warpAffine(
        plane,
        _to_samples(surface, inverse, (x, y)),
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


def _winner(
    samples: NDArray[np.float32],
    n: int,
    matrix: NDArray[np.float64],
    xs: NDArray[np.intp],
    ys: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Which column of ``samples`` ``(n * n, K)`` leads at some pixels ``(P,)``."""
    u = np.clip(matrix[0, 0] * xs + matrix[0, 1] * ys + matrix[0, 2], 0, n - 1)
    v = np.clip(matrix[1, 0] * xs + matrix[1, 1] * ys + matrix[1, 2], 0, n - 1)
    i, j = np.minimum(u.astype(np.intp), n - 2), np.minimum(v.astype(np.intp), n - 2)
    fu, fv = (u - i).astype(np.float32)[:, None], (v - j).astype(np.float32)[:, None]
    corner = j * n + i
    upper = samples[corner]
    upper += (samples[corner + 1] - upper) * fu
    lower = samples[corner + n]
    lower += (samples[corner + n + 1] - lower) * fu
    upper += (lower - upper) * fv
    return upper.argmax(axis=1)
