from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BY_NAME
from bisenet.evaluation.flip import flip_averaged
from bisenet.geometry.crops import whole_crop
from bisenet.parser import FaceParser, Parsing
from bisenet.postprocess.results import Face

Array = NDArray[np.uint8]


class LeftIsBright:
    """Stands in for a FaceParser: calls everything a left eye, the surer the brighter it is."""

    def parse(self, image: Array, framing: str) -> Parsing:
        assert framing == "whole"
        height, width = image.shape[:2]
        logits = np.zeros((19, height, width), np.float16)
        logits[BY_NAME["l_eye"].id] = image[..., 0] / 255 - 0.25
        logits[BY_NAME["r_eye"].id] = 0.125
        face = SimpleNamespace(logits=logits, crop=whole_crop(height, width, height))
        plane = np.zeros((height, width), np.uint8)
        return Parsing(image, plane, plane.astype(np.float32), (cast(Face, face),))


def test_flip_averaging_swaps_the_mirrored_photos_left_and_right() -> None:
    parser = cast(FaceParser, LeftIsBright())
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4] = 255
    found = flip_averaged(parser, image).mask
    # Bright: left says 0.75 and, mirrored back, so does right; the mean ties both at 0.4375, and
    # the first wins. Dark: background 0 beats the mean of -0.25 and 0.125.
    assert (found[:, :4] == BY_NAME["l_eye"].id).all()
    assert (found[:, 4:] == 0).all()
    turned = flip_averaged(parser, np.ascontiguousarray(image[:, ::-1])).mask
    np.testing.assert_array_equal(turned, found[:, ::-1])
