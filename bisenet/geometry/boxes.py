"""Upright boxes of a photo: ``x0, y0, x1, y1``, pixels."""

from __future__ import annotations

from bisenet.geometry.crops import Box


def iou(first: Box, second: Box) -> float:
    """Intersection over union, 0..1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (first, second)]
    return width * height / (sum(areas) - width * height)
