"""A face to look at before anyone has uploaded one."""

from __future__ import annotations

import numpy as np
from PIL import Image


def astronaut() -> Image.Image:
    """Eileen Collins, NASA, public domain: scikit-image's test picture, framed around the face."""
    from skimage import data

    return Image.fromarray(np.ascontiguousarray(data.astronaut()[0:240, 105:345]))
