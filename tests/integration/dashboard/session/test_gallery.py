"""Views of what the real network parsed."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from bisenet.dashboard.session.gallery import make_view
from bisenet.geometry.boxes import Box
from bisenet.images import samples
from bisenet.parser import FaceParser


def test_a_face_is_measured_once(parser: FaceParser) -> None:
    boxes: list[Box] = [(175, 60, 275, 185), (350, 350, 450, 450)]
    photo = np.asarray(samples.astronaut())
    view = make_view(parser.parse(photo, boxes=boxes), "two")
    first, second = (face.id for face in view.parsing.faces)
    of_first = view.of_face(first)
    assert np.array_equal(of_first.parsing.mask, view.parsing.faces[0].mask)
    assert view.of_face(first).regions is of_first.regions
    areas = {face: view.of_face(face).regions["area_px"].sum() for face in (first, second)}
    assert areas[first] == areas[second] == view.parsing.covered.sum()
    assert not view.of_face(second).regions.equals(of_first.regions)
    assert view.of_face(None) is view


def test_a_large_photo_is_shown_smaller_but_measured_whole(parser: FaceParser) -> None:
    view = make_view(parser.parse(np.full((3000, 5000, 3), 255, np.uint8)), "large")
    assert view.parsing.mask.shape == (3000, 5000)
    size = struct.unpack("<II", view.picture.labels[:8])
    shown = Image.open(io.BytesIO(view.picture.photo))
    assert size == shown.size
    assert size[0] * size[1] <= 12_010_000
    assert view.regions["area_px"].sum() == 15_000_000
