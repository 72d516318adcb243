"""From the network's coarse logits to labels and confidence at any resolution.

``label_window`` reads the logits' surface (``bisenet.surface``) at every pixel of a photo, wherever
and however turned the crop lies in it, so boundaries are as smooth as the photo is fine;
``read_whole`` is its quicker sibling for a photo that lies upright in the crop. Labels are never
interpolated, and no more than a strip of the photo is evaluated at a time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.affine import Rect, from_part, from_shrunk
from bisenet.surface import MIXED, Surface, reader, winning_probability

# Photo pixels that are labelled at a time: bounds the memory at any resolution.
STRIP_PIXELS = 1 << 20
_OUTSIDE = 254
# Pixels from one sample to the next at which a plane is warped.
FINE_PIXELS = 3


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
    surface = Surface(logits, size)
    to_samples = matrix / surface.step
    rows, columns = (
        _Axis.of(np.arange(length) * to_samples[axis, axis] + to_samples[axis, 2], surface.samples)
        for axis, length in ((1, shape[0]), (0, shape[1]))
    )
    labels = np.take(np.take(surface.cells, columns.cell, axis=1), rows.cell, axis=0)
    seams = surface.seams
    down, across = np.divmod(seams.cell, surface.samples - 1)
    seen = np.flatnonzero(rows.holds[down] & columns.holds[across])
    # Every seam's pixels at once, the seams last: numpy is quickest along a long last axis.
    count = max(1, STRIP_PIXELS // (len(rows.pixel) * len(columns.pixel)))
    for start in range(0, len(seen), count):
        part = seen[start : start + count]
        y, x = down[part], across[part]
        pixels = rows.pixel[:, None, y] * shape[1] + columns.pixel[:, x]
        leads = seams.labels(part, columns.fraction[:, x], rows.fraction[:, None, y])
        labels.ravel()[pixels.ravel()] = leads.ravel()
    return labels


@dataclass(frozen=True, eq=False)
class _Axis:
    """Which of a photo's rows, or columns, lie in which of a surface's N cells along an axis.

    Attributes:
        cell: the cell that each pixel lies in, ``(P,)``.
        holds: whether there is a pixel in the cell, ``(N,)``.
        pixel: the pixels in each cell, the last repeated where others hold more, ``(k, N)``.
        fraction: how far across the cell each of those lies, 0..1, ``(k, N)``.
    """

    cell: NDArray[np.intp]
    holds: NDArray[np.bool_]
    pixel: NDArray[np.intp]
    fraction: NDArray[np.float32]

    @classmethod
    def of(cls, position: NDArray[np.float64], samples: int) -> _Axis:
        """From where the pixels lie among the samples, in ascending order."""
        position = np.clip(position, 0, samples - 1)
        cell = np.minimum(position.astype(np.intp), samples - 2)
        bounds = np.searchsorted(cell, np.arange(samples))
        counts = np.diff(bounds)
        turn = np.minimum(np.arange(counts.max())[:, None], counts - 1)
        pixel = np.maximum(bounds[:-1] + turn, 0)
        fraction = position[pixel] - np.arange(samples - 1)
        return cls(cell, counts > 0, pixel, fraction.astype(np.float32))


def _whole_confidence(
    logits: NDArray[np.float32], size: int, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Read where OpenCV can enlarge it from: that is several times quicker than to warp it."""
    grid = logits.shape[-1]
    rows, columns = (
        reader((_middles(length, scale) * scale + offset) * (grid - 1) / (size - 1), grid)
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
    last = surface.samples - 1
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
        mixed = np.flatnonzero(strip == MIXED)
        ys, xs = np.divmod(mixed, width)
        ys += top
        u, v = (np.clip(a * xs + b * ys + c, 0, last).astype(np.float32) for a, b, c in to_cells)
        strip.ravel()[mixed] = surface.labels_at(u, v)
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
    to_samples = _to_samples(surface, matrix, (x, y))
    # Enlarging is several times quicker than warping: warp to a few pixels for each sample.
    apart = 1 / max(float(np.hypot(*to_samples[:, 0])), 1e-6)
    every = max(1, int(min(apart / FINE_PIXELS, width, height)))
    small = (-(-width // every), -(-height // every))
    warped = cv2.warpAffine(
        plane,
        from_shrunk(to_samples, (width / small[0], height / small[1])),
        small,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if every > 1:
        warped = cv2.resize(warped, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.float32)


def _to_samples(
    surface: Surface, matrix: NDArray[np.float64], origin: tuple[int, int]
) -> NDArray[np.float64]:
    """From pixels of a window that begins at ``origin`` to positions among the samples."""
    return from_part(matrix, origin) / surface.step
