"""A parsing at the size of its truth: photos are often larger than the masks made for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import NUM_CLASSES
from bisenet.postprocess.results import Parsing

# Votes are counted in strips, so that memory does not grow with the picture.
_STRIP_CELLS = 1 << 18


def same_shape(photo: tuple[int, ...], mask: tuple[int, ...]) -> bool:
    """Whether a mask is of a photo, by their two sides: of one shape, whatever the size.

    Photos are often larger than their masks. A whole number of times, give or take a rounded
    pixel, or exactly in proportion.
    """
    if photo[0] * mask[1] == photo[1] * mask[0]:
        return True
    times = round(photo[0] / mask[0])
    return times > 1 and all(abs(p / times - m) < 1 for p, m in zip(photo, mask, strict=True))


def at_size(
    parsing: Parsing, shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Labels, confidence and which pixels a face's crop covers, ``(H, W)`` each, of ``shape``.

    Raises:
        ValueError: it is not of the parsing's proportions.
    """
    if not same_shape(parsing.mask.shape, shape):
        raise ValueError(f"Truth is {shape}, prediction {parsing.mask.shape}.")
    judged = parsing.instance_ids > 0
    if parsing.mask.shape == shape:
        return parsing.mask, parsing.confidence, judged
    mask, confidence = labels_at(parsing.mask, parsing.confidence, shape)
    rows, columns = (_centres(n, m) for n, m in zip(judged.shape, shape, strict=True))
    return mask, confidence, judged[np.ix_(rows, columns)]


def labels_at(
    mask: NDArray[np.uint8], confidence: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and confidence brought to another size.

    Larger ones vote: a pixel of the result gets the class with the most confidence over the pixels
    that lie in it, and their mean confidence. Taking one of them would shift every edge.

    Args:
        mask: ``(H, W)`` class ids.
        confidence: ``(H, W)``, 0..1.
        shape: height and width of the result.
    """
    height, width = shape
    if mask.shape[0] < height or mask.shape[1] < width:
        here = np.ix_(_centres(mask.shape[0], height), _centres(mask.shape[1], width))
        return mask[here], confidence[here]
    into_row = _targets(mask.shape[0], height)
    into_column = _targets(mask.shape[1], width)
    labels = np.empty((height, width), np.uint8)
    mean_confidence = np.empty((height, width), np.float32)
    strip = max(1, _STRIP_CELLS // width)
    for top in range(0, height, strip):
        bottom = min(height, top + strip)
        first, last = np.searchsorted(into_row, (top, bottom))
        cell = (into_row[first:last, None] - top) * width + into_column
        key = (cell * NUM_CLASSES + mask[first:last]).ravel()
        size = (bottom - top) * width * NUM_CLASSES
        votes = np.bincount(key, confidence[first:last].ravel(), size).reshape(-1, NUM_CLASSES)
        voters = np.bincount(key, minlength=size).reshape(-1, NUM_CLASSES)
        # Where nobody is confident of anything, the voters decide.
        winner = np.argmax(votes + 1e-6 * voters, axis=1)[:, None]
        of_winner = np.take_along_axis(votes, winner, 1) / np.take_along_axis(voters, winner, 1)
        labels[top:bottom] = winner.reshape(-1, width)
        mean_confidence[top:bottom] = of_winner.reshape(-1, width)
    return labels, mean_confidence


def _targets(n: int, m: int) -> NDArray[np.int64]:
    """``(n,)``: in which of ``m`` pixels the centre of each of ``n`` lies, ``n >= m``."""
    return (2 * np.arange(n, dtype=np.int64) + 1) * m // (2 * n)


def _centres(n: int, m: int) -> NDArray[np.int64]:
    """``(m,)``: which of ``n`` pixels lies at the centre of each of ``m``."""
    return (2 * np.arange(m, dtype=np.int64) + 1) * n // (2 * m)
