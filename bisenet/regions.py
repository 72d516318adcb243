"""Measurements of the regions of a parsed photo: a DataFrame, one row a region."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.measure import regionprops_table

from bisenet.classes import BACKGROUND, BY_NAME, CLASSES, NUM_CLASSES
from bisenet.parser import Parsing

# Column to what it means and its unit, in the order of the table.
COLUMNS: dict[str, str] = {
    "class_id": "class id, 0..18",
    "name": "class name in the data sets",
    "region": "class name for people",
    "area_px": "area, pixels",
    "image_share": "share of the image, 0..1",
    "head_share": "share of the head (all but background and clothes), 0..1",
    "left_px": "bounding box: first column",
    "top_px": "bounding box: first row",
    "right_px": "bounding box: column after the last",
    "bottom_px": "bounding box: row after the last",
    "centroid_x_px": "centre of mass, pixels from the left",
    "centroid_y_px": "centre of mass, pixels from the top",
    "perimeter_px": "length of the boundary, pixels",
    "parts": "number of 8-connected parts",
    "mean_color": "mean colour, sRGB #rrggbb",
    "confidence": "mean probability of the winning class, 0..1",
}
NOT_HEAD = (BY_NAME["background"].id, BY_NAME["cloth"].id)


def measure_regions(parsing: Parsing, by_face: bool = False) -> pd.DataFrame:
    """Measure every region that is present, in the whole photo or face by face.

    Area, box, centroid and perimeter (the 4-neighbourhood estimate of Benkrid and Crookes) are
    scikit-image's ``regionprops``.

    Args:
        by_face: a row for each region of each face instead, without background, and a column
            ``face`` in front with the face's id. ``head_share`` is of that face's head.

    Returns:
        One row a region in class order, with the columns of ``COLUMNS``. ``head_share`` is
        missing for background and clothes. Empty for an empty mask, and for no faces.
    """
    size = parsing.mask.size
    if not by_face:
        return _measure(parsing.image, parsing.mask, parsing.confidence, (0, 0), size)
    tables = []
    for face in parsing.faces:
        x, y, width, height = face.window
        here = np.s_[y : y + height, x : x + width]
        table = _measure(parsing.image[here], face.labels, parsing.confidence[here], (x, y), size)
        table = table[table["class_id"] != BACKGROUND]
        table.insert(0, "face", face.id)
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=["face", *COLUMNS])
    return pd.concat(tables, ignore_index=True)


def _measure(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    origin: tuple[int, int],
    photo_pixels: int,
) -> pd.DataFrame:
    """The table for a window of the photo that begins at ``origin`` (x, y)."""
    # regionprops leaves label 0 out, and background is a region here.
    table = regionprops_table(
        mask.astype(np.uint8) + 1,
        properties=("label", "area", "bbox", "centroid", "perimeter"),
    )
    ids = table["label"].astype(int) - 1
    area = table["area"].astype(int)
    is_head = ~np.isin(ids, NOT_HEAD)
    head_area = int(area[is_head].sum())
    colors = _mean_colors(image, mask)
    boxes = np.stack([table[f"bbox-{i}"].astype(int) for i in (1, 0, 3, 2)], axis=1)
    x, y = origin
    frame = pd.DataFrame(
        {
            "class_id": ids,
            "name": [CLASSES[i].name for i in ids],
            "region": [CLASSES[i].title for i in ids],
            "area_px": area,
            "image_share": area / photo_pixels,
            "head_share": np.where(is_head, area / max(head_area, 1), np.nan),
            "left_px": boxes[:, 0] + x,
            "top_px": boxes[:, 1] + y,
            "right_px": boxes[:, 2] + x,
            "bottom_px": boxes[:, 3] + y,
            "centroid_x_px": table["centroid-1"] + x,
            "centroid_y_px": table["centroid-0"] + y,
            "perimeter_px": table["perimeter"],
            "parts": [
                count_parts(mask[top:bottom, left:right] == class_id)
                for class_id, (left, top, right, bottom) in zip(ids, boxes, strict=True)
            ],
            "mean_color": [_hex(colors[i]) for i in ids],
            "confidence": _means(confidence, mask)[ids],
        }
    )
    return frame[list(COLUMNS)]


def count_parts(region: NDArray[np.bool_]) -> int:
    """Number of 8-connected parts of a region ``(H, W)``."""
    labels, _ = cv2.connectedComponents(region.astype(np.uint8), connectivity=8)
    return int(labels) - 1


def _means(values: NDArray[np.generic], mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean of ``values`` (H, W) in each class, ``(19,)``; 0 where the class is absent."""
    sums = np.bincount(mask.ravel(), values.ravel(), minlength=NUM_CLASSES)
    counts = np.bincount(mask.ravel(), minlength=NUM_CLASSES)
    return sums / np.maximum(counts, 1)


def _mean_colors(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.stack([_means(image[..., c], mask) for c in range(3)], axis=1)


def _hex(color: NDArray[np.float64]) -> str:
    red, green, blue = (round(float(v)) for v in color)
    return f"#{red:02x}{green:02x}{blue:02x}"
