"""The wide view: each person seen once more, farther away, so that hair and clothes go on.

The fine crop holds a face and what is near it. Long hair and a coat leave it, so the network sees
the person a second time in a crop of up to three times the side. On the face the fine view decides;
towards its rim its logits pass over into those of the wide view; beyond, the wide view continues
hair, hat, neck and clothes of this person and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, BY_NAME
from bisenet.geometry.crops import Crop

# Side of the wide crop in sides of the fine one. Measured on full-body photos and rendered scenes:
# twice ends above the waist, four times costs hair its edges.
WIDEST = 3.0
# Pixels of the wide crop for each of the fine one: the network takes half the time of a full one.
SIZE = 0.75
# The outer part of the fine crop, of half its side, in which the wide view takes over.
RAMP = 0.15
# What the wide view may continue; a face there is somebody else's.
CONTINUED = tuple(
    BY_NAME[name].id for name in ("background", "hair", "hat", "neck", "neck_l", "cloth")
)
# A region is cut off where it lies along so much of the wide crop's edge, in sides of the crop.
LEAST_CUT = 0.04
# What can be cut off: the rest of a person lies in the middle of the wide crop.
_LEAVING = tuple(class_id for class_id in CONTINUED if class_id != BACKGROUND)
# A logit that never leads.
_NEVER = np.float32(-30)


@dataclass(frozen=True, eq=False)
class WideView:
    """What the network said about the wide crop, reduced to what continues the person.

    Attributes:
        crop: the square that the network saw.
        logits: ``(19, S/8, S/8)`` f16.
    """

    crop: Crop
    logits: NDArray[np.float16]


def wide_crop(crop: Crop) -> Crop | None:
    """The wide crop about a fine one, of the same roll and three quarters of its pixels a side.

    Returns:
        As much as the photo has to show, at most ``WIDEST`` times the side; None where the fine
        crop shows all of the photo.
    """
    height, width = crop.shape
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    at = crop.to_crop(corners)
    if (at >= -0.5).all() and (at <= crop.size - 0.5).all():
        return None
    middle = (crop.size - 1) / 2
    size = max(32, int(SIZE * crop.size) // 32 * 32)
    # A view labels what lies between its outer pixels' centres: the photo's last row lies a pixel
    # within them.
    reach = float(np.abs(at - middle).max()) * 2 * (size / crop.size) / (size - 2)
    return crop.widened(min(max(reach, 1.0), WIDEST)).at(size)


def join(
    fine: NDArray[np.float32], crop: Crop, wide: NDArray[np.float32], around: Crop
) -> tuple[NDArray[np.float32], WideView]:
    """Let a wide view continue a fine one.

    Args:
        fine: logits of the fine crop ``crop``, ``(C, g, g)``.
        wide: logits of the wide crop ``around``, ``(C, h, h)``.

    Returns:
        The fine logits ``(C, g, g)``, passing over into the wide ones at the rim, and the wide
        view, in which only what continues this person leads.
    """
    grid = fine.shape[-1]
    position = _positions(crop, grid, around, wide.shape[-1])
    continued = _continued(wide, position)
    axis = np.abs(np.linspace(-1, 1, grid, dtype=np.float32))
    inward = 1 - np.maximum(axis[:, None], axis)
    share = np.asarray(np.clip(inward / RAMP, 0, 1), np.float32)
    view = WideView(around, continued.astype(np.float16))
    joined = share * fine + (1 - share) * _read(continued, position)
    return joined.astype(np.float32), view


def cut_off(
    view: WideView, face_id: int, mask: NDArray[np.uint8], instance_ids: NDArray[np.uint8]
) -> tuple[int, ...]:
    """Which of a person's regions leave the wide crop where nobody looks further.

    Args:
        view: the wide view of the face ``face_id``.
        mask: ``(H, W)``, the photo's class ids.
        instance_ids: ``(H, W)``, the id of the face whose view labels each pixel; 0 beyond.

    Returns:
        Class ids of the regions along at least ``LEAST_CUT`` of the crop's side whose neighbours
        across its edge lie in the photo and no view covers them. A region that ends where the
        photo ends is not cut off.
    """
    crop = view.crop
    # On either side of the edge, two pixels from it or more in the photo and in the crop.
    apart = max(2.0, 2.0 * crop.scale)
    within_edge = _around_edge(crop, apart)
    beyond_edge = _around_edge(crop, -apart)
    height, width = mask.shape
    inside = ((beyond_edge >= 0) & (beyond_edge < (width, height))).all(1)
    inside &= ((within_edge >= 0) & (within_edge < (width, height))).all(1)
    (x, y), (to_x, to_y) = within_edge[inside].T, beyond_edge[inside].T
    ends = (instance_ids[y, x] == face_id) & (instance_ids[to_y, to_x] == 0)
    along = np.bincount(mask[y, x][ends], minlength=max(_LEAVING) + 1)
    return tuple(c for c in sorted(_LEAVING) if along[c] >= LEAST_CUT * crop.size)


def _around_edge(crop: Crop, inset: float) -> NDArray[np.intp]:
    """Pixels of the photo along a crop's four edges, ``inset`` of its pixels inside, ``(N, 2)``."""
    last = crop.size - 1
    along = np.linspace(0, last, crop.size)
    low, high = np.full_like(along, inset), np.full_like(along, last - inset)
    edges = ((along, low), (along, high), (low, along), (high, along))
    points = np.concatenate([np.stack(edge, axis=1) for edge in edges])
    return np.rint(crop.to_photo(points)).astype(np.intp)


def _continued(wide: NDArray[np.float32], position: NDArray[np.float32]) -> NDArray[np.float32]:
    """Wide logits in which nothing leads but what hangs together with the fine crop's content."""
    logits = wide.copy()
    logits[np.setdiff1d(np.arange(len(logits)), CONTINUED)] = _NEVER
    count, parts = cv2.connectedComponents((logits.argmax(0) != BACKGROUND).astype(np.uint8))
    last = wide.shape[-1] - 1
    x0, y0 = np.clip(np.ceil(position.min((1, 2))), 0, last).astype(int)
    x1, y1 = np.clip(np.floor(position.max((1, 2))), 0, last).astype(int)
    own = np.zeros(count, bool)
    own[np.unique(parts[y0 : y1 + 1, x0 : x1 + 1])] = True
    own[0] = True  # the background's part
    strange = ~own[parts]
    logits[:, strange] = _NEVER
    logits[BACKGROUND, strange] = -_NEVER
    return logits


def _positions(crop: Crop, grid: int, around: Crop, samples: int) -> NDArray[np.float32]:
    """Where a crop's samples lie among those of another, ``(2, grid, grid)``: x, y."""
    axis = np.linspace(0, crop.size - 1, grid)
    xs, ys = np.meshgrid(axis, axis)
    points = around.to_crop(crop.to_photo(np.stack([xs.ravel(), ys.ravel()], 1)))
    points /= (around.size - 1) / (samples - 1)
    return np.asarray(points.clip(0, samples - 1).T.reshape(2, grid, grid), np.float32)


def _read(logits: NDArray[np.float32], position: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear interpolation of ``(C, g, g)`` at positions ``(2, h, w)``: ``(C, h, w)``."""
    x, y = position
    return np.stack([cv2.remap(plane, x, y, cv2.INTER_LINEAR) for plane in logits])
