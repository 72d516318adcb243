"""Where the faces are, and the square crop that the network wants.

For now the whole picture is one crop (``framing="whole"``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.upsample import Rect

Box = tuple[float, float, float, float]

# ImageNet's statistics, which the published checkpoints were trained with.
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


@dataclass(frozen=True)
class Crop:
    """A square view of a photo.

    ``box`` is the part of the photo that it shows (pixels: x0, y0, x1, y1), ``content`` the
    rectangle of the square that this part fills (x, y, width, height); the rest is padding.
    """

    box: Rect
    content: Rect
    size: int

    def sample(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop's pixels, ``(size, size, 3)``, from a photo ``(H, W, 3)``."""
        x0, y0, x1, y1 = self.box
        x, y, width, height = self.content
        part = pixels[y0:y1, x0:x1]
        if part.shape[:2] != (height, width):
            shrinks = height < part.shape[0]
            interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            part = cv2.resize(part, (width, height), interpolation=interpolation)
        if (height, width) == (self.size, self.size):
            return part
        padding = np.round(MEAN * 255).astype(np.uint8)
        square = np.tile(padding, (self.size, self.size, 1))
        square[y : y + height, x : x + width] = part
        return square


def whole_crop(height: int, width: int, size: int) -> Crop:
    """The whole photo, its proportions kept, in the middle of a square of ``size`` pixels."""
    scale = size / max(height, width)
    inner_width = min(size, max(1, round(width * scale)))
    inner_height = min(size, max(1, round(height * scale)))
    content = ((size - inner_width) // 2, (size - inner_height) // 2, inner_width, inner_height)
    return Crop((0, 0, width, height), content, size)


def normalise(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Crops ``(N, S, S, 3)`` uint8 to the network's input ``(N, 3, S, S)`` f32."""
    scaled = crops.astype(np.float32) * (1 / (255 * STD)) - MEAN / STD
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
