"""Pictures at the size that a page shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Streamlit shows no wider ones, and makes a thin one 0 pixels high when it shrinks it itself.
WIDEST = 1460


def fitted(pixels: NDArray[np.uint8], longest: int = WIDEST, most: float = 1.0) -> Image.Image:
    """A picture ``(H, W, C)`` of at most ``longest`` pixels a side; at least one pixel a side.

    Args:
        most: how many times a small one is enlarged, so that it can be seen.
    """
    image = Image.fromarray(pixels)
    scale = min(longest / max(image.size), most)
    if scale == 1.0:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)
