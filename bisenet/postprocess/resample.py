"""From the network's coarse logits to labels and confidence at any resolution.

``label_window`` reads the logit grid (``bisenet.postprocess.logits``) at every pixel of a photo,
whatever the crop's place and roll, so boundaries are as smooth as the photo is fine. Labels are
never interpolated, and no more than a strip of the photo is evaluated at a time. For a whole photo
that lies upright in the crop ``bisenet.postprocess.upright`` does the same in a third of the time.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.geometry.affine import from_part, from_shrunk
from bisenet.geometry.boxes import Rect
from bisenet.geometry.crops import Crop
from bisenet.geometry.warp import warp
from bisenet.postprocess.boundaries import MIXED
from bisenet.postprocess.logits import LogitGrid

# Photo pixels that are labelled at a time: bounds the memory at any resolution.
STRIP_PIXELS = 1 << 20
_OUTSIDE = 254
# Pixels from one sample to the next at which a plane is warped.
FINE_PIXELS = 3


def label_window(
    logit_grid: LogitGrid, matrix: NDArray[np.float64], window: Rect
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Label every pixel of a photo's window that a crop covers.

    Args:
        logit_grid: the crop's logits.
        matrix: ``(2, 3)``, from the photo's pixels to the crop's.
        window: x, y, width, height in the photo.

    Returns:
        Labels ``(h, w)``, background where the crop does not reach, and where it does.
    """
    x, y, width, height = window
    to_cells = _to_samples(logit_grid, matrix, (x, y))
    # The nearest cell: cell i lies between samples i and i + 1, so its centre is at i + 0.5.
    nearest = to_cells.copy()
    nearest[:, 2] -= 0.5
    last = logit_grid.samples - 1
    labels = np.empty((height, width), np.uint8)
    rows = max(1, STRIP_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        strip = labels[top : top + rows]
        here = nearest.copy()
        here[:, 2] += here[:, 1] * top
        strip[:] = warp(
            logit_grid.cells, here, (width, strip.shape[0]), cv2.INTER_NEAREST, value=_OUTSIDE
        )
        mixed = np.flatnonzero(strip == MIXED)
        ys, xs = np.divmod(mixed, width)
        ys += top
        u, v = (np.clip(a * xs + b * ys + c, 0, last).astype(np.float32) for a, b, c in to_cells)
        strip.ravel()[mixed] = logit_grid.labels_at(u, v)
    covered = labels != _OUTSIDE
    labels[~covered] = 0
    return labels, covered


def covered(crop: Crop, logit_grid: LogitGrid) -> NDArray[np.bool_]:
    """Which pixels of its window a crop covers, ``(h, w)``: those that ``label_window`` labels."""
    x, y, width, height = crop.window
    cells = np.zeros((logit_grid.samples - 1, logit_grid.samples - 1), np.uint8)
    nearest = _to_samples(logit_grid, crop.matrix, (x, y))
    nearest[:, 2] -= 0.5
    return np.asarray(warp(cells, nearest, (width, height), cv2.INTER_NEAREST, value=1) == 0)


def warp_plane(
    plane: NDArray[np.float32],
    logit_grid: LogitGrid,
    matrix: NDArray[np.float64],
    window: Rect,
) -> NDArray[np.float32]:
    """Values at a grid's samples ``(n, n)`` read at every pixel of a window, ``(h, w)``."""
    x, y, width, height = window
    to_samples = _to_samples(logit_grid, matrix, (x, y))
    # Enlarging is several times quicker than warping: warp to a few pixels for each sample.
    apart = 1 / max(float(np.hypot(*to_samples[:, 0])), 1e-6)
    every = max(1, int(min(apart / FINE_PIXELS, width, height)))
    small = (-(-width // every), -(-height // every))
    warped = warp(
        plane,
        from_shrunk(to_samples, (width / small[0], height / small[1])),
        small,
        border=cv2.BORDER_REPLICATE,
    )
    if every > 1:
        warped = cv2.resize(warped, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.float32)


def _to_samples(
    logit_grid: LogitGrid, matrix: NDArray[np.float64], origin: tuple[int, int]
) -> NDArray[np.float64]:
    """From pixels of a window that begins at ``origin`` to positions among the samples."""
    return from_part(matrix, origin) / logit_grid.step
