"""Two parses side by side: where their labels differ, and by how much their regions do."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bisenet.classes import CLASSES, NOT_LOOKED_AT
from bisenet.parser import Parsing


@dataclass(frozen=True)
class Difference:
    """Where two masks disagree.

    Attributes:
        differs: ``(H, W)`` bool, at the first photo's resolution.
        share: share of the compared pixels that differ, 0..1.
        resampled: whether the second mask had to be brought to the first one's size.
    """

    differs: NDArray[np.bool_]
    share: float
    resampled: bool


def label_difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Difference:
    """Compare two masks ``(H, W)``; the second is resampled (nearest) when the sizes differ.

    Pixels that either has as ``NOT_LOOKED_AT`` are not compared.
    """
    resampled = first.shape != second.shape
    if resampled:
        size = (first.shape[1], first.shape[0])
        second = np.asarray(cv2.resize(second, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    compared = (first != NOT_LOOKED_AT) & (second != NOT_LOOKED_AT)
    differs = (first != second) & compared
    share = float(differs.sum() / max(int(compared.sum()), 1))
    return Difference(differs, share, resampled)


def difference_picture(first: Parsing, difference: Difference) -> NDArray[np.uint8]:
    """The first photo in grey with the pixels that differ in signal red: ``(H, W, 3)`` uint8."""
    grey = cv2.cvtColor(first.image, cv2.COLOR_RGB2GRAY)
    # Darkened, so that the red stands out in bright photos as well.
    picture = np.repeat((grey * 0.75).astype(np.uint8)[..., None], 3, axis=2)
    picture[difference.differs] = (255, 45, 85)
    return picture


def region_deltas(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Join two tables of ``measure_regions`` by class.

    Returns:
        One row a region that is in either, in class order: ``class_id``, ``region`` and, for
        area (px), image share, head share, confidence and parsed share (0..1), the value in the
        first, in the second, and the second minus the first. A region that is absent has area
        and shares 0 and no confidence.
    """
    columns = ["area_px", "image_share", "head_share", "confidence", "parsed_share"]
    sides = [table.set_index("class_id")[columns] for table in (first, second)]
    ids = sorted(set(sides[0].index) | set(sides[1].index))
    out = pd.DataFrame({"class_id": ids, "region": [CLASSES[i].title for i in ids]})
    for column in columns:
        a, b = (side[column].reindex(ids).to_numpy(dtype=float) for side in sides)
        if column != "confidence":
            a, b = (_absent_is_zero(v, s, ids) for v, s in zip((a, b), sides, strict=True))
        out[f"{column}_first"], out[f"{column}_second"] = a, b
        out[f"{column}_delta"] = b - a
    return out


def _absent_is_zero(
    values: NDArray[np.float64], side: pd.DataFrame, ids: list[int]
) -> NDArray[np.float64]:
    absent = ~np.isin(ids, side.index.to_numpy())
    return np.where(absent, 0.0, values)
