"""Pictures that ended the process, took minutes, or came out wrong, parsed by the real network."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from bisenet.dashboard.session.gallery import DISPLAY_SIDE, make_view
from bisenet.images.decode import (
    read_photo,
)
from bisenet.measure.proportions import proportions
from bisenet.measure.regions import measure_regions
from bisenet.output import encode as export
from bisenet.parser import FaceParser
from tests.conftest import CASES
from tests.drills import fuzz_images


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def test_a_picture_of_60000_rows_is_parsed_measured_shown_and_exported(parser: FaceParser) -> None:
    photo = read_photo(CASES / "tall-200x60000.png")
    view = make_view(parser.parse(photo.pixels), "tall")
    assert view.parsing.mask.shape == (60_000, 200)
    assert view.regions["area_px"].sum() == 200 * 60_000
    shown = Image.open(io.BytesIO(view.picture.photo))
    assert shown.size == struct.unpack("<II", view.picture.labels[:8]) == (55, DISPLAY_SIDE)
    mask = Image.open(io.BytesIO(export.indexed_png(view.parsing.mask)))
    assert np.array_equal(np.asarray(mask), view.parsing.mask)


@pytest.mark.parametrize("turned", [False, True])
def test_a_face_at_the_end_of_a_long_picture_is_parsed(
    parser: FaceParser, portrait: Image.Image, turned: bool
) -> None:
    height, width = (330, 48_000) if turned else (48_000, 330)
    face = np.asarray(portrait.resize((330, 309)))
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[height - 309 :, width - 330 :] = face
    end = (width - 330.0, height - 309.0, float(width), float(height))
    parsing = parser.parse(pixels, boxes=[end])
    face_found = parsing.faces[0]
    assert face_found.box == end, "a box stays as it is drawn"
    assert face_found.score > 0.8
    x, y = face_found.crop.centre
    assert end[0] < x < end[2]
    assert end[1] < y < end[3]
    alone = parser.parse(face, boxes=[(0.0, 0.0, 330.0, 309.0)])
    there = parsing.mask[height - 309 :, width - 330 :]
    assert (there == alone.mask).mean() > 0.95
    over_all = parser.parse(pixels, boxes=[(0.0, 0.0, float(width), float(height))])
    assert over_all.mask.shape == (height, width)
    assert over_all.entropy().shape == (height, width)


def corpus_face() -> bytes:
    from bisenet.images.samples import astronaut_face

    return encode(astronaut_face().resize((256, 240)), "PNG")


def test_the_symmetry_of_a_face_is_measured_wherever_it_lies(parser: FaceParser) -> None:
    portrait = Image.open(io.BytesIO(corpus_face()))
    mask = parser.parse(portrait, framing="whole").mask
    tall = np.zeros((40_000, mask.shape[1]), np.uint8)
    tall[-len(mask) :] = mask
    assert proportions(tall).symmetry == pytest.approx(proportions(mask).symmetry, abs=1e-3)


def test_an_array_beyond_the_limit_is_refused(parser: FaceParser) -> None:
    with pytest.raises(ValueError, match="65,500 pixels a side"):
        parser.parse(np.zeros((65_501, 1, 3), np.uint8))


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3))),
    st.sampled_from(["auto", "whole"]),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_array_is_parsed_and_measured(
    parser: FaceParser, pixels: NDArray[np.uint8], framing: str
) -> None:
    parsing = parser.parse(pixels, framing="whole" if framing == "whole" else "auto")
    assert parsing.mask.shape == pixels.shape[:2]
    assert np.isfinite(parsing.confidence).all()
    assert measure_regions(parsing)["area_px"].sum() == parsing.mask.size


def test_some_hundreds_of_odd_pictures_end_nothing() -> None:
    """The short form of ``make fuzz``: another process, so that its end would be seen."""
    report = fuzz_images.campaign(first=500_000, inputs=300, minutes=3, every=16)
    assert report.inputs == 300
    assert not report.deaths, str(report)
    assert not report.faults, str(report)
    assert {"refused", "decoded", "parsed"} <= set(report.outcomes)
