"""Figures of a whole face: pairs compared with their twin, symmetry, proportions.

Angles are degrees; a positive tilt means that the person's left side is higher in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bisenet.classes import BY_NAME, FACE_CLASSES, mirror_lut
from bisenet.geometry.warp import warp

PAIRS: dict[str, tuple[str, str]] = {
    "Eyes": ("l_eye", "r_eye"),
    "Brows": ("l_brow", "r_brow"),
    "Ears": ("l_ear", "r_ear"),
}


@dataclass(frozen=True)
class Proportions:
    """Face-level figures; None where the regions that they need are missing.

    Attributes:
        symmetry: share of the face's pixels that keep their label when the face is mirrored
            about the line that halves its eyes, 0..1 (intersection over union).
        hair_to_face: area of the hair over the area of the face.
        width_to_height: extent of the face along the eye line over its extent across it.
        tilt: angle of the eye line, degrees.
    """

    symmetry: float | None
    hair_to_face: float | None
    width_to_height: float | None
    tilt: float | None


def pair_table(mask: NDArray[np.uint8]) -> pd.DataFrame:
    """Left against right for eyes, brows and ears.

    Args:
        mask: ``(H, W)`` class ids of one face.

    Returns:
        One row for each pair of which at least one side is there: ``pair``, ``left_area_px``,
        ``right_area_px``, ``left_height_px``, ``right_height_px`` (bounding boxes), ``tilt_deg``
        of the line through both centres and ``left_to_right`` (ratio of areas). What needs a
        missing side is NaN.
    """
    rows = []
    for pair, (left_name, right_name) in PAIRS.items():
        left, right = (_extent(mask == BY_NAME[n].id) for n in (left_name, right_name))
        if left is None and right is None:
            continue
        both = left is not None and right is not None
        rows.append(
            {
                "pair": pair,
                "left_area_px": left.area if left else 0,
                "right_area_px": right.area if right else 0,
                "left_height_px": left.height if left else np.nan,
                "right_height_px": right.height if right else np.nan,
                "tilt_deg": _tilt(left, right) if both and left and right else np.nan,
                "left_to_right": left.area / right.area if both and left and right else np.nan,
            }
        )
    columns = [
        *("pair", "left_area_px", "right_area_px", "left_height_px", "right_height_px"),
        *("tilt_deg", "left_to_right"),
    ]
    return pd.DataFrame(rows, columns=columns)


def proportions(mask: NDArray[np.uint8]) -> Proportions:
    """Measure the face-level figures of one face's mask ``(H, W)``."""
    face = np.isin(mask, FACE_CLASSES)
    face_area = int(face.sum())
    hair_area = int((mask == BY_NAME["hair"].id).sum())
    left, right = _extent(mask == BY_NAME["l_eye"].id), _extent(mask == BY_NAME["r_eye"].id)
    hair_to_face = hair_area / face_area if face_area else None
    if left is None or right is None or left.center == right.center:
        return Proportions(None, hair_to_face, None, None)
    tilt = _tilt(left, right)
    return Proportions(
        symmetry=_symmetry(mask, left.center, right.center),
        hair_to_face=hair_to_face,
        width_to_height=_width_to_height(face, tilt),
        tilt=tilt,
    )


@dataclass(frozen=True)
class _Extent:
    area: int
    height: int
    center: tuple[float, float]


def _extent(region: NDArray[np.bool_]) -> _Extent | None:
    ys, xs = np.nonzero(region)
    if not len(ys):
        return None
    center = (float(xs.mean()), float(ys.mean()))
    return _Extent(len(ys), int(ys.max() - ys.min() + 1), center)


def _tilt(left: _Extent, right: _Extent) -> float:
    # The person's left is on the right of the picture, and rows count downwards.
    dx, dy = left.center[0] - right.center[0], left.center[1] - right.center[1]
    return float(np.degrees(np.arctan2(-dy, dx)))


def _symmetry(
    mask: NDArray[np.uint8], left: tuple[float, float], right: tuple[float, float]
) -> float | None:
    axis = np.array(left) - np.array(right)
    axis = axis / np.linalg.norm(axis)
    middle = (np.array(left) + np.array(right)) / 2
    reflection = np.eye(2) - 2 * np.outer(axis, axis)
    matrix = np.column_stack([reflection, middle - reflection @ middle])
    face = np.where(np.isin(mask, FACE_CLASSES), mask, 0).astype(np.uint8)
    # A reflection is its own inverse.
    size = (mask.shape[1], mask.shape[0])
    mirrored = warp(mirror_lut()[face], matrix, size, cv2.INTER_NEAREST)
    either = (face > 0) | (mirrored > 0)
    if not either.any():
        return None
    return float((face[either] == mirrored[either]).mean())


def _width_to_height(face: NDArray[np.bool_], tilt: float) -> float | None:
    ys, xs = np.nonzero(face)
    if not len(ys):
        return None
    angle = np.radians(tilt)
    along = xs * np.cos(angle) - ys * np.sin(angle)
    across = xs * np.sin(angle) + ys * np.cos(angle)
    # Percentiles, so that a stray pixel far off does not set the size of a face.
    width, height = (np.subtract(*np.percentile(v, (99.5, 0.5))) for v in (along, across))
    return float(width / height) if height > 0 else None
