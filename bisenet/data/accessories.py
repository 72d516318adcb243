"""Copy glasses, hats, necklaces and earrings from one aligned face to another.

CelebAMask-HQ's faces are aligned, so an accessory fits where it was; rare ones are met on many
more faces this way (copy-paste augmentation: Ghiasi et al., CVPR 2021).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, EARRING, EARS, GLASSES, HAT, NECKLACE, ids_of
from bisenet.data.paste import blend
from bisenet.data.types import Image, Mask, Pair

RARE = (GLASSES, HAT, NECKLACE, EARRING)
_MAY_WEAR_NECKLACE = ids_of("neck", "cloth", "skin")


def _fits(which: int, region: NDArray[np.bool_], target: Mask) -> NDArray[np.bool_] | None:
    """The part of a donor's region that makes sense on the target face, or None."""
    if (target == which).any():
        return None
    if which == GLASSES:
        return region
    if which == NECKLACE:
        worn = region & np.isin(target, _MAY_WEAR_NECKLACE)
        return worn if worn.sum() > 0.7 * region.sum() else None
    # An earring hangs from a visible ear: keep those pieces that touch one.
    ears = cv2.dilate(np.isin(target, EARS).astype(np.uint8), np.ones((15, 15), np.uint8))
    count, pieces = cv2.connectedComponents(region.astype(np.uint8))
    worn = np.zeros_like(region)
    for piece in range(1, count):
        this = pieces == piece
        if (ears[this] > 0).mean() > 0.3:
            worn |= this
    return worn if worn.any() else None


def _hat_region(donor_mask: Mask, target: Mask) -> NDArray[np.bool_] | None:
    """Hat and what is above it, column by column; hair that stood there goes with it."""
    hat = donor_mask == HAT
    if (target == HAT).any() or not hat.any():
        return None
    below = np.flip(np.maximum.accumulate(np.flip(hat, 0), 0), 0)
    return below & ((donor_mask == HAT) | (donor_mask == BACKGROUND))


def paste_accessory(rng: np.random.Generator, image: Image, mask: Mask, donor: Pair) -> Pair:
    """One accessory of the donor on this face, or the pair unchanged where none fits.

    Args:
        image, mask: ``(H, W, 3)`` and ``(H, W)``, aligned as the donor is; not changed.
    """
    donor_image, donor_mask = donor
    if donor_mask.shape != mask.shape:
        return image, mask
    present = [which for which in RARE if (donor_mask == which).any()]
    if not present:
        return image, mask
    which = present[int(rng.integers(len(present)))]
    if which == HAT:
        region = _hat_region(donor_mask, mask)
    else:
        region = _fits(which, donor_mask == which, mask)
    if region is None:
        return image, mask
    alpha = cv2.GaussianBlur(region.astype(np.uint8) * 255, (0, 0), 1.0)
    alpha = np.maximum(alpha, region * np.uint8(160))
    return blend(donor_image, image, alpha), np.where(region, donor_mask, mask).astype(np.uint8)
