"""Crops: the way between photo and crop, both ways, and what the finder makes of photos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from bisenet.detection.finder import Detection, Finder, unique
from bisenet.geometry.crops import PADDING, normalise, square_crop, whole_crop
from bisenet.images import samples
from bisenet.parser import FaceParser
from bisenet.postprocess.landmarks import Landmarks, face_crop


def test_points_go_to_the_crop_and_back() -> None:
    crop = square_crop((431.3, 287.9), 173.7, 23.4, 512, (600, 800))
    points = np.random.default_rng(0).uniform(0, 600, (50, 2))
    assert np.abs(crop.to_photo(crop.to_crop(points)) - points).max() < 1e-9
    assert crop.centre == pytest.approx((431.3, 287.9))
    assert crop.turn == pytest.approx(23.4)
    assert crop.side == pytest.approx(173.7)


def test_another_size_shows_the_same_part_of_the_photo() -> None:
    small = square_crop((100, 80), 90, -12, 128, (200, 200))
    large = small.at(512)
    edges = np.array([[-0.5, -0.5], [127.5, 127.5]])
    assert large.to_photo((edges + 0.5) * 4 - 0.5) == pytest.approx(small.to_photo(edges))


def test_a_crop_of_the_size_of_the_photo_is_the_photo() -> None:
    photo = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    assert np.array_equal(whole_crop(512, 512, 512).sample(photo), photo)
    assert np.array_equal(square_crop((255.5, 255.5), 512, 0, 512, (512, 512)).sample(photo), photo)


@pytest.mark.parametrize("turn", [0.0, 17.0, -120.0])
@pytest.mark.parametrize("side", [90.0, 700.0])
def test_what_is_at_a_point_of_the_photo_is_at_its_point_of_the_crop(
    turn: float, side: float
) -> None:
    """A bright disc's centre of mass, sampled larger and smaller, upright and turned."""
    y, x = np.mgrid[:1100, :1100]
    spot = np.array([560.25, 538.75])
    blob = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * (side / 25) ** 2))
    photo = np.repeat((blob * 255).round().astype(np.uint8)[..., None], 3, axis=2)
    crop = square_crop((550, 550), side, turn, 256, (1100, 1100))
    seen = crop.sample(photo)[..., 0].astype(float)
    seen[seen < 3] = 0
    rows, columns = np.mgrid[:256, :256]
    centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    away = crop.to_photo(centre[None])[0] - spot
    # A tenth of a pixel of the coarser of the two pictures.
    assert np.hypot(*away) < 0.1 * max(1.0, side / 256)


def test_beyond_the_photo_lies_the_padding() -> None:
    photo = np.full((100, 100, 3), 255, np.uint8)
    seen = square_crop((0, 50), 80, 0, 64, (100, 100)).sample(photo)
    assert tuple(seen[32, 5]) == PADDING
    assert tuple(seen[32, 60]) == (255, 255, 255)
    outside = square_crop((500, 500), 80, 10, 64, (100, 100))
    assert outside.window[2:] == (0, 0)
    assert tuple(outside.sample(photo)[0, 0]) == PADDING


def test_shrinking_averages() -> None:
    checks = (np.indices((800, 800)).sum(0) % 2 * 255).astype(np.uint8)
    photo = np.repeat(checks[..., None], 3, axis=2)
    seen = square_crop((400, 400), 600, 10, 128, (800, 800)).sample(photo)
    assert np.abs(seen.astype(int) - 127).max() <= 4


def test_the_network_sees_padding_as_zeros() -> None:
    assert np.abs(normalise(np.full((1, 2, 2, 3), PADDING, np.uint8))).max() < 0.01


def test_framing_puts_eyes_and_mouth_where_training_crops_have_them() -> None:
    truth = square_crop((300, 260), 200, 33, 512, (600, 600))
    eyes = truth.to_photo(np.array([[193.5, 244.6], [318.0, 244.6]]))
    mouth = truth.to_photo(np.array([[255.5, 384.5]]))[0]
    left, right = ((float(x), float(y)) for x, y in eyes)
    marks = Landmarks((left, right), True, (float(mouth[0]), float(mouth[1])), 0.9)
    crop = face_crop(marks, 512, (600, 600))
    assert crop.turn == pytest.approx(33, abs=0.5)
    assert crop.side == pytest.approx(200, rel=0.03)
    assert crop.centre == pytest.approx(truth.centre, abs=3)


def test_one_face_seen_twice_is_one() -> None:
    def at(x: float, side: float, score: float) -> Detection:
        return Detection(square_crop((x, 100), side, 0, 128, (200, 900)), None, score)

    kept = unique([at(100, 90, 0.6), at(108, 100, 0.9), at(400, 60, 0.7), at(500, 160, 0.5)])
    assert [f.score for f in kept] == [0.5, 0.9, 0.7]


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
    assert (face.turn - 3 - turn + 180) % 360 - 180 == pytest.approx(0, abs=6)


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


def test_what_the_detector_does_not_see_the_cascades_may(parser: FaceParser) -> None:
    finder = Finder(parser._engine.infer_pixels, use_detector=False)
    (face,) = finder.find(np.asarray(samples.astronaut()))
    (same,) = parser._finder.find(np.asarray(samples.astronaut()))
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
