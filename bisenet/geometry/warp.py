"""OpenCV's warp, and its nearest pixels, for arrays of any length.

OpenCV keeps coordinates in 16 bits there: beyond 32,767 rows or columns it raises, reads the wrong
pixels, or reads beyond the array, which ends the process. Its other ways to resize, and its
filters, count further.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.geometry.affine import from_part
from bisenet.geometry.boxes import Rect, within

Scalar = TypeVar("Scalar", bound=np.generic)
# The most rows or columns that OpenCV is given at a time.
LONGEST = 32_000
# Pixels around what a warp reads: interpolation's neighbours, and rounding.
_MARGIN = 3


def warp(
    source: NDArray[Scalar],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    flags: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
    value: float = 0,
) -> NDArray[Scalar]:
    """``cv2.warpAffine``, in parts where source or target is too long for it.

    Args:
        source: ``(H, W)`` or ``(H, W, C)``.
        matrix: ``(2, 3)``, from the target's pixels (x, y) to the source's.
        size: the target's width and height.
        flags: how pixels are interpolated.
        border: what lies beyond the source: a constant, or its own rim.
        value: that constant.
    """
    width, height = size
    target = np.empty((height, width, *source.shape[2:]), source.dtype)
    parts: list[Rect] = [(0, 0, width, height)]
    while parts:
        part = parts.pop()
        x, y, wide, high = part
        here = from_part(matrix, (x, y))
        window = _read(here, (wide, high), source)
        if max(wide, high, *window[2:]) > LONGEST and max(wide, high) > 1:
            parts += _halves(part)
            continue
        seen = source if max(source.shape[:2]) <= LONGEST else source[within(window)]
        if seen is not source:
            here[:, 2] -= window[:2]
        target[within(part)] = cv2.warpAffine(
            seen,
            here,
            (wide, high),
            flags=flags | cv2.WARP_INVERSE_MAP,
            borderMode=border,
            borderValue=(value,) * 4,
        )
    return target


def nearest(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels ``(H, W, C)`` nearest to the middles of those of another size (width, height)."""
    height, width = pixels.shape[:2]
    if max(height, width, *size) <= LONGEST:
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    columns, rows = (
        ((np.arange(count) + 0.5) * (length / count)).astype(np.intp)
        for count, length in zip(size, (width, height), strict=True)
    )
    return pixels[rows[:, None], columns]


def _read(matrix: NDArray[np.float64], size: tuple[int, int], source: NDArray[np.generic]) -> Rect:
    """The rectangle of the source that a target of some size reads; at least a pixel of it."""
    right, bottom = size[0] - 1, size[1] - 1
    corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], float)
    points = corners @ matrix[:, :2].T + matrix[:, 2]
    last = np.array([source.shape[1], source.shape[0]]) - 1
    x0, y0 = np.clip(np.floor(points.min(axis=0)) - _MARGIN, 0, last).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(points.max(axis=0)) + _MARGIN, 0, last).astype(int).tolist()
    return (x0, y0, x1 - x0 + 1, y1 - y0 + 1)


def _halves(part: Rect) -> list[Rect]:
    x, y, width, height = part
    if width >= height:
        half = width // 2
        return [(x, y, half, height), (x + half, y, width - half, height)]
    half = height // 2
    return [(x, y, width, half), (x, y + half, width, height - half)]
