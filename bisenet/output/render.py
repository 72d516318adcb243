"""Colours, overlays, outlines and cut-outs: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from bisenet.classes import BACKGROUND, NUM_CLASSES, palette

HIDDEN_BY_DEFAULT = frozenset({BACKGROUND})


def color_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class colours of a mask ``(H, W)``: ``(H, W, 3)`` sRGB."""
    return palette()[mask]


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    opacity: float = 0.6,
    hidden: Collection[int] = HIDDEN_BY_DEFAULT,
) -> NDArray[np.uint8]:
    """Blend class colours over a photo.

    Args:
        image: ``(H, W, 3)`` uint8.
        mask: ``(H, W)`` class ids.
        opacity: 0 shows the photo, 1 the colours alone.
        hidden: class ids that stay uncoloured.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    strength = np.full(NUM_CLASSES, opacity, dtype=np.float32)
    strength[list(hidden)] = 0.0
    # Photo and colour are blended through two 8-bit tables: no float copy of the photo.
    weight = np.round(strength * 255).astype(np.uint16)[mask][..., None]
    blended = image * (255 - weight) + color_mask(mask) * weight
    return ((blended + 127) // 255).astype(np.uint8)


def outline(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    hidden: Collection[int] = HIDDEN_BY_DEFAULT,
    thickness: int = 2,
) -> NDArray[np.uint8]:
    """Draw the boundaries of the shown classes, in their colours, on a photo ``(H, W, 3)``."""
    shown = np.ones(NUM_CLASSES, dtype=bool)
    shown[list(hidden)] = False
    visible = np.where(shown[mask], mask, BACKGROUND).astype(np.uint8)
    edge = find_boundaries(visible, mode="inner") & shown[mask]
    if thickness > 1:
        kernel = np.ones((thickness, thickness), np.uint8)
        edge = cv2.dilate(edge.astype(np.uint8), kernel).astype(bool) & shown[mask]
    drawn = image.copy()
    drawn[edge] = color_mask(mask[edge])
    return drawn


def draw(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    mode: str = "fill",
    opacity: float = 0.6,
    hidden: Collection[int] = HIDDEN_BY_DEFAULT,
) -> NDArray[np.uint8]:
    """The photo with its regions as the viewer shows them, ``(H, W, 3)`` uint8.

    Args:
        mode: ``fill``, ``outline`` or ``both``; the others are as ``overlay`` takes them.
    """
    picture = image if mode == "outline" else overlay(image, mask, opacity, hidden)
    if mode == "fill":
        return picture
    thickness = max(2, round(max(mask.shape) / 600))
    return outline(picture, mask, hidden, thickness)


def cut_out(image: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A photo ``(H, W, 3)`` with transparency ``(H, W)`` of 0..1: RGBA ``(H, W, 4)`` uint8."""
    opaque = np.round(np.clip(alpha, 0.0, 1.0) * 255).astype(np.uint8)
    return np.dstack([image, opaque])
