"""A face to look at before anyone has uploaded one."""

from __future__ import annotations

import numpy as np
from PIL import Image


def astronaut() -> Image.Image:
    """Eileen Collins, NASA, public domain: scikit-image's test picture, 512 x 512."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def astronaut_face() -> Image.Image:
    """The same, cut around the head and shoulders, 220 x 206."""
    return Image.fromarray(np.ascontiguousarray(np.asarray(astronaut())[0:206, 102:322]))
