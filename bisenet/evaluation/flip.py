"""A photo and its mirror image parsed together."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import NUM_CLASSES, mirror_lut
from bisenet.parser import FaceParser, Parsing
from bisenet.postprocess import upright


def flip_averaged(parser: FaceParser, photo: NDArray[np.uint8]) -> Parsing:
    """An aligned photo ``(H, W, 3)`` parsed from the mean of its logits and its mirror image's.

    Left and right classes of the mirror image are swapped back. Twice the work.
    """
    parsing = parser.parse(photo, framing="whole")
    mirrored = parser.parse(np.ascontiguousarray(photo[:, ::-1]), framing="whole")
    face = parsing.faces[0]
    back = mirrored.faces[0].logits[mirror_lut()[:NUM_CLASSES], :, ::-1]
    logits = (face.logits.astype(np.float32) + back.astype(np.float32)) * np.float32(0.5)
    height, width = photo.shape[:2]
    mask, confidence = upright.read_whole(logits, face.crop.size, face.crop.matrix, (height, width))
    return dataclasses.replace(parsing, mask=mask, confidence=confidence)
