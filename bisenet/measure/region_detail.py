"""One region: cut out, its colours, its confidence and its boundary entropy."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from bisenet.classes import BACKGROUND
from bisenet.geometry.boxes import PixelBox
from bisenet.parser import Parsing

Backdrop = Literal["transparent", "plain", "context"]

# Below this mean probability a region's boundary is as often wrong as right.
LOW_CONFIDENCE = 0.65


def region_box(region: NDArray[np.bool_], margin: float = 0.15) -> PixelBox:
    """The box around a region ``(H, W)`` with a margin, inside the photo.

    Raises:
        ValueError: the region is empty.
    """
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError("The region is empty.")
    pad = round(margin * max(np.ptp(rows) + 1, np.ptp(columns) + 1))
    height, width = region.shape
    return (
        max(0, int(columns[0]) - pad),
        max(0, int(rows[0]) - pad),
        min(width, int(columns[-1]) + 1 + pad),
        min(height, int(rows[-1]) + 1 + pad),
    )


def show_region(
    parsing: Parsing, class_id: int, backdrop: Backdrop, color: str = "#ffffff"
) -> NDArray[np.uint8]:
    """A region cut out of its photo, trimmed to its surroundings.

    Args:
        parsing: the parsed photo.
        class_id: which region.
        backdrop: ``transparent`` gives RGBA, ``plain`` a colour, ``context`` the photo, dimmed.
        color: the plain colour, ``#rrggbb``.

    Returns:
        ``(h, w, 4)`` for ``transparent``, else ``(h, w, 3)``, uint8.

    Raises:
        ValueError: the region is not in the photo.
    """
    region = parsing.mask == class_id
    x0, y0, x1, y1 = region_box(region)
    photo, inside = parsing.image[y0:y1, x0:x1], region[y0:y1, x0:x1]
    if backdrop == "transparent":
        return np.dstack([photo, np.where(inside, 255, 0).astype(np.uint8)])
    if backdrop == "plain":
        rest = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)
    else:
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
        rest = (grey // 4 + 96).astype(np.uint8)
    return np.where(inside[..., None], photo, rest).astype(np.uint8)


def color_histogram(parsing: Parsing, class_id: int, bins: int = 32) -> pd.DataFrame:
    """Distribution of a region's colours.

    Returns:
        ``bins`` rows: ``level`` (middle of the bin, 0..255) and the share of the region's pixels
        in it for ``red``, ``green`` and ``blue`` (each column sums to 1).
    """
    pixels = parsing.image[parsing.mask == class_id]
    edges = np.linspace(0, 256, bins + 1)
    columns = {
        name: np.histogram(pixels[:, channel], edges)[0] / max(len(pixels), 1)
        for channel, name in enumerate(("red", "green", "blue"))
    }
    return pd.DataFrame({"level": (edges[:-1] + edges[1:]) / 2, **columns})


def confidence_histogram(parsing: Parsing, class_id: int, bins: int = 20) -> pd.DataFrame:
    """Distribution of the confidence inside a region.

    Returns:
        ``bins`` rows: ``confidence`` (middle of the bin, 0..1) and ``share`` of the pixels.
    """
    values = parsing.confidence[parsing.mask == class_id]
    edges = np.linspace(0, 1, bins + 1)
    share = np.histogram(values, edges)[0] / max(len(values), 1)
    return pd.DataFrame({"confidence": (edges[:-1] + edges[1:]) / 2, "share": share})


def boundary_entropy(entropy: NDArray[np.float32], region: NDArray[np.bool_]) -> float:
    """Mean entropy (bits) of the pixels along a region's boundary; NaN for an empty region.

    0 means that the network is certain where the region ends; 1 bit is a toss between two classes.
    """
    edge = find_boundaries(region, mode="thick")
    return float(entropy[edge].mean()) if edge.any() else float("nan")


def heat_map(
    plane: NDArray[np.float32], region: NDArray[np.bool_], longest: int = 240
) -> NDArray[np.float32]:
    """A plane ``(H, W)`` around a region, NaN outside of it, at most ``longest`` pixels a side."""
    x0, y0, x1, y1 = region_box(region)
    values = np.where(region, plane, np.nan)[y0:y1, x0:x1].astype(np.float32)
    step = max(1, -(-max(values.shape) // longest))
    return values[::step, ::step]


def low_confidence(regions: pd.DataFrame) -> list[str]:
    """Titles of the regions whose mean confidence is low, lowest first; without background."""
    rows = regions[(regions["confidence"] < LOW_CONFIDENCE) & (regions["class_id"] != BACKGROUND)]
    return rows.sort_values("confidence")["region"].tolist()
