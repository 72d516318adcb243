"""The square about a whole photo's face that the network would see, from the mask alone.

An aligned crop holds the face from the hairline to the chin in about three quarters of its height
(CelebAMask-HQ: 380 of 512 pixels), so the square's side is 1.35 times that height.
"""

from __future__ import annotations

import numpy as np

from bisenet.classes import BACKGROUND, GLASSES, HAIR, HAT
from bisenet.data.partial_labels import NOT_HAIR, SKIN_PART, UNKNOWN
from bisenet.data.scenes import face_box
from bisenet.data.types import Mask

# Centre x and y, and side, pixels of the photo.
Frame = tuple[float, float, float]

SIDE = 1.35
# A standing person is about seven and a half heads tall; the head's upper quarter is hair.
HEADS_TALL, FACE_OF_HEAD = 7.5, 0.75
_HEAD = (HAIR, HAT, GLASSES, SKIN_PART)
LEAST_SIDE = 24.0


def face_frame(mask: Mask) -> Frame | None:
    """The square of an aligned crop about a photo's largest face, or None where none shows.

    Without face classes, as in masks that know skin only as skin, the head is taken to be the
    highest part of the person, in the proportions of someone who stands.
    """
    try:
        x0, y0, x1, y1 = face_box(mask)
    except ValueError:
        return _standing(mask)
    side = SIDE * max(y1 - y0, x1 - x0)
    return ((x0 + x1) / 2, (y0 + y1) / 2, side) if side >= LEAST_SIDE else None


def _standing(mask: Mask) -> Frame | None:
    person = (mask != BACKGROUND) & (mask != UNKNOWN) & (mask != NOT_HAIR)
    head = np.isin(mask, _HEAD)
    rows = np.flatnonzero(person.any(1))
    tops = np.flatnonzero(head.any(1))
    if not len(rows) or not len(tops):
        return None
    height = (rows[-1] - rows[0] + 1) / HEADS_TALL
    top = tops[0]
    columns = np.flatnonzero(head[top : top + max(2, round(height))].any(0))
    face = FACE_OF_HEAD * height
    side = SIDE * face
    if side < LEAST_SIDE:
        return None
    return (float(columns.mean()), float(top + height - face / 2), float(side))
