"""Crops: the way between photo and crop, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from bisenet.detection.finder import Detection, unique
from bisenet.geometry.crops import PADDING, normalise, square_crop, whole_crop
from bisenet.postprocess.landmarks import Landmarks, face_crop


def test_points_go_to_the_crop_and_back() -> None:
    crop = square_crop((431.3, 287.9), 173.7, 23.4, 512, (600, 800))
    points = np.random.default_rng(0).uniform(0, 600, (50, 2))
    assert np.abs(crop.to_photo(crop.to_crop(points)) - points).max() < 1e-9
    assert crop.centre == pytest.approx((431.3, 287.9))
    assert crop.roll == pytest.approx(23.4)
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
    assert crop.roll == pytest.approx(33, abs=0.5)
    assert crop.side == pytest.approx(200, rel=0.03)
    assert crop.centre == pytest.approx(truth.centre, abs=3)


def test_one_face_seen_twice_is_one() -> None:
    def at(x: float, side: float, score: float) -> Detection:
        return Detection(square_crop((x, 100), side, 0, 128, (200, 900)), None, score)

    kept = unique([at(100, 90, 0.6), at(108, 100, 0.9), at(400, 60, 0.7), at(500, 160, 0.5)])
    assert [f.score for f in kept] == [0.5, 0.9, 0.7]
