"""What the finder makes of photos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from bisenet.detection.finder import Finder
from bisenet.images import samples
from bisenet.parser import FaceParser


def _gray_noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (360, 480, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(lambda: data.coffee(), id="coffee"),
        pytest.param(lambda: np.repeat(data.grass()[..., None], 3, axis=2), id="grass"),
        pytest.param(lambda: data.rocket(), id="rocket"),
        pytest.param(lambda: np.full((300, 500, 3), 255, np.uint8), id="blank"),
        pytest.param(_gray_noise, id="noise"),
        pytest.param(lambda: np.zeros((1, 1, 3), np.uint8), id="one-pixel"),
        pytest.param(lambda: np.zeros((2, 900, 3), np.uint8), id="a-line"),
    ],
)
def test_no_face_is_invented(parser: FaceParser, picture: object) -> None:
    assert parser._finder.find(picture()) == []  # type: ignore[operator]


def _turned(degrees: float) -> NDArray[np.uint8]:
    picture = samples.astronaut().rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(picture)


@pytest.mark.parametrize("turn", [-30, 20, 90, 180])
def test_a_turned_face_is_found_and_its_turn_told(parser: FaceParser, turn: float) -> None:
    (face,) = parser.parse(_turned(turn)).faces
    # She leans by some three degrees herself.
    assert (face.roll - 3 - turn + 180) % 360 - 180 == pytest.approx(0, abs=6)


def test_a_face_in_greys_is_found(parser: FaceParser) -> None:
    gray = np.asarray(samples.astronaut().convert("L").convert("RGB"))
    assert len(parser._finder.find(gray)) == 1


def test_a_face_cut_by_the_frame_is_found(parser: FaceParser) -> None:
    cut = np.ascontiguousarray(np.asarray(samples.astronaut())[70:330, 170:500])
    (face,) = parser._finder.find(cut)
    assert face.crop.centre == pytest.approx((225 - 170, 106 - 70), abs=6)


def test_a_drawing_of_a_face_is_found(parser: FaceParser) -> None:
    large = np.asarray(samples.astronaut().resize((900, 900), Image.Resampling.BICUBIC))
    drawn = cv2.stylization(large, sigma_s=60, sigma_r=0.4)
    (face,) = parser._finder.find(np.asarray(drawn, np.uint8))
    assert face.crop.centre == pytest.approx((224 * 900 / 512, 108 * 900 / 512), abs=30)


def test_a_face_missed_at_the_usual_sizes_is_found_at_others(
    parser: FaceParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.asarray(samples.astronaut())
    (same,) = parser._finder.find(picture)
    monkeypatch.setattr(Finder, "_detected", lambda *_: [])
    (face,) = parser._finder.find(picture)
    assert face.crop.centre == pytest.approx(same.crop.centre, abs=6)
    assert face.crop.side == pytest.approx(same.crop.side, rel=0.1)


@pytest.mark.parametrize("size", [(240, 307), (1400, 1792), (3200, 4096)])
def test_a_face_is_framed_alike_at_any_size_of_the_photo(
    parser: FaceParser, size: tuple[int, int]
) -> None:
    """Large photos are searched through a shrunk copy, whose pixels must lie where theirs do."""
    picture = samples.astronaut().crop((60, 0, 460, 512))
    (face,) = parser._finder.find(np.asarray(picture.resize(size, Image.Resampling.BICUBIC)))
    x, y = face.crop.centre
    assert (x * 400 / size[0], y * 512 / size[1]) == pytest.approx((224 - 60, 108), abs=6)


def test_a_crowd_of_forty_is_found(parser: FaceParser) -> None:
    face = samples.astronaut().crop((110, 0, 350, 240)).resize((150, 150), Image.Resampling.BICUBIC)
    photo = Image.new("RGB", (1500, 640), (90, 110, 120))
    for number in range(40):
        photo.paste(face, (number % 10 * 150, number // 10 * 160))
    done: list[tuple[int, int]] = []
    parsing = parser.parse(photo, progress=lambda *step: done.append(step))
    assert len(parsing.faces) == 30
    assert parsing.left_out == 10
    assert "40 faces were found; the 30 largest were parsed" in parsing.notices[0]
    assert done[-1] == (30, 30)
    assert [step[0] for step in done] == sorted(step[0] for step in done)


def _with_something_before_it(what: str) -> NDArray[np.uint8]:
    """The astronaut at 1024 pixels, part of her face painted over."""
    large = samples.astronaut().resize((1024, 1024), Image.Resampling.BICUBIC)
    photo = np.array(large)
    if what == "sunglasses":
        for lens in ((407, 196), (492, 200)):
            cv2.ellipse(photo, lens, (38, 26), 0, 0, 360, (12, 12, 14), -1, cv2.LINE_AA)
        cv2.line(photo, (430, 190), (470, 192), (12, 12, 14), 8, cv2.LINE_AA)
    elif what == "mask":
        outline = [(370, 232), (450, 215), (530, 236), (515, 300), (450, 335), (385, 298)]
        cv2.fillPoly(photo, [np.array(outline)], (188, 214, 226), cv2.LINE_AA)
    else:
        cv2.ellipse(photo, (450, 300), (75, 48), 0, 0, 360, (205, 160, 140), -1, cv2.LINE_AA)
    return photo


@pytest.mark.parametrize("what", ["sunglasses", "mask", "hand"])
def test_a_face_behind_something_is_found_and_framed(parser: FaceParser, what: str) -> None:
    (face,) = parser.parse(_with_something_before_it(what)).faces
    assert face.crop.centre == pytest.approx((451, 216), abs=22)
    assert abs(face.roll - 3) < 8
    assert face.crop.side == pytest.approx(431, rel=0.15)
