"""A face to look at before anyone has uploaded one."""

from __future__ import annotations

from PIL import Image


def astronaut() -> Image.Image:
    """Eileen Collins, NASA, public domain: scikit-image's test picture, 512 x 512."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def astronaut_face() -> Image.Image:
    """The same, cut around the head and shoulders, enlarged three times: 660 x 618.

    Labels are as fine as the photo, so on the small one the regions' edges would be stairs.
    """
    face = astronaut().crop((102, 0, 322, 206))
    return face.resize((660, 618), Image.Resampling.LANCZOS)
