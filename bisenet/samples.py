"""A face to look at before anyone has uploaded one."""

from __future__ import annotations

import numpy as np
from PIL import Image


def astronaut() -> Image.Image:
    """Eileen Collins, NASA, public domain: scikit-image's test picture, 512 x 512."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def astronaut_face() -> Image.Image:
    """The same, cut around the face roughly as a training crop is, 240 x 240."""
    return Image.fromarray(np.ascontiguousarray(np.asarray(astronaut())[0:240, 105:345]))
