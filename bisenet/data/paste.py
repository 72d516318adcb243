"""Pasting one picture on another without jagged edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND
from bisenet.data.types import Image, Mask
from bisenet.geometry.affine import from_shrunk


def blend(front: Image, back: Image, alpha: Mask) -> Image:
    """``front`` over ``back``, both ``(H, W, 3)``, by ``alpha`` ``(H, W)``, 0..255."""
    wide = alpha[..., None].astype(np.uint16)
    return ((front * wide + back * (255 - wide) + 127) // 255).astype(np.uint8)


def outline(mask: Mask) -> Mask:
    """Alpha, 255 on everything but background, ``(H, W)``.

    One pixel in: the rim of a cut-out still shows the old background, and nothing at all where the
    picture ends.
    """
    solid = (mask != BACKGROUND).astype(np.uint8) * 255
    inner = cv2.erode(
        solid, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)
    )
    return np.asarray(inner, np.uint8)


def before_warp(
    image: Image, matrix: NDArray[np.float64], scale: float
) -> tuple[Image, NDArray[np.float64]]:
    """The image averaged to about the warp's scale where that is below 0.8, and its new matrix.

    Bilinear sampling alone would skip source pixels and alias.

    Args:
        matrix: from the image's pixels to the target's, ``(2, 3)`` or ``(3, 3)``.
        scale: target pixels per image pixel.
    """
    if scale >= 0.8:
        return image, matrix
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    factor = (image.shape[1] / width, image.shape[0] / height)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return small, from_shrunk(matrix, factor)
