"""Boxes of a photo: their forms, their overlap, and which of two crops show the same face.

``Box`` and ``PixelBox`` hold corners, the last row and column excluded; a ``Rect`` holds a corner
and an extent, as OpenCV has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

# x, y.
Point = tuple[float, float]
# x0, y0, x1, y1, pixels and fractions of them.
Box = tuple[float, float, float, float]
# x0, y0, x1, y1, whole pixels.
PixelBox = tuple[int, int, int, int]
# x, y, width, height, whole pixels.
Rect = tuple[int, int, int, int]

# Two crops whose centres are nearer than this share of the larger side show one face.
DUPLICATE = 0.3


class Square(Protocol):
    """A square of the photo: a crop, or a proposal of one."""

    @property
    def centre(self) -> Point: ...

    @property
    def side(self) -> float: ...


def within(rect: Rect) -> tuple[slice, slice]:
    """The rows and columns of a rectangle, to index an array ``(H, W, ...)`` with."""
    x, y, width, height = rect
    return slice(y, y + height), slice(x, x + width)


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return width * height / (sum(areas) - width * height)


def distance(first: Point, second: Point) -> float:
    """Distance of two points, pixels."""
    return float(np.hypot(first[0] - second[0], first[1] - second[1]))


def is_duplicate(one: Square, others: Iterable[Square]) -> bool:
    """Whether a square shows the same face as one of the others."""
    return any(
        distance(one.centre, other.centre) < DUPLICATE * max(one.side, other.side)
        for other in others
    )
