"""From the network's coarse logits to labels and confidence at any resolution.

The published code upsamples logits to the crop with ``align_corners=True`` and takes the argmax
there. Photos are larger than the crop, so logits (never labels) go on to the photo's resolution,
one class at a time: memory stays at a few planes of the photo, whatever the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterable

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
