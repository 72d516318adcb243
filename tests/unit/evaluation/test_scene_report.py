"""Composed scenes: the truth is where it is said to be, and the report adds up."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, BY_NAME
from bisenet.data.scenes import compose, face_box, place
from bisenet.data.types import Pair
from bisenet.evaluation.scene_report import Row, as_markdown, match

SKIN, HAIR, NOSE = (BY_NAME[name].id for name in ("skin", "hair", "nose"))


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A drawn head: a box of hair around a box of skin of 200 x 300 pixels, and a nose."""
    mask = np.zeros((512, 512), np.uint8)
    mask[60:512, 120:392] = HAIR
    mask[100:400, 156:356] = SKIN
    mask[240:280, 246:266] = NOSE
    colors = np.zeros((256, 3), np.uint8)
    colors[[SKIN, HAIR, NOSE]] = ((220, 180, 150), (60, 30, 20), (255, 0, 0))
    return colors[mask], mask


def test_the_face_box_spans_hairline_to_chin(pair: Pair) -> None:
    assert face_box(pair[1]) == (156, 100, 356, 400)
    with pytest.raises(ValueError, match="no face"):
        face_box(np.zeros((8, 8), np.uint8))


@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_a_face_stands_where_and_as_large_as_it_was_placed(pair: Pair, turn: float) -> None:
    canvas, truth = np.full((400, 500, 3), 128, np.uint8), np.zeros((400, 500), np.uint8)
    box = place(canvas, truth, pair, 150, turn, (250.0, 200.0))
    assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == pytest.approx((250, 200), abs=2)
    height = 150 * np.cos(np.deg2rad(turn)) + 100 * np.sin(np.deg2rad(turn))
    assert box[3] - box[1] == pytest.approx(height, abs=3)
    red = (canvas[..., 0].astype(int) - canvas[..., 1] > 150) & (canvas[..., 2] < 60)
    ys, xs = np.nonzero(red)
    where = np.argwhere(truth == NOSE).mean(0)
    assert (ys.mean(), xs.mean()) == pytest.approx(tuple(where), abs=0.5), "photo and truth agree"
    assert (canvas[truth == BACKGROUND] == 128).mean() > 0.99


def _scene(pair: Pair, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    scene = compose(np.random.default_rng(seed), [pair], [60, 60, 90], [0, 20, -20], (360, 480))
    assert len(scene.faces) == 3
    assert sorted(face.size for face in scene.faces) == [60, 60, 90]
    return scene.image, scene.mask


def test_scenes_repeat_with_their_seed(pair: Pair) -> None:
    first, again, other = _scene(pair, 1), _scene(pair, 1), _scene(pair, 2)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


def test_a_box_serves_one_face(pair: Pair) -> None:
    scene = compose(np.random.default_rng(3), [pair], [80, 80], [0, 0], (300, 500))
    boxes = [scene.faces[1].box, (0.0, 0.0, 10.0, 10.0)]
    assert match(boxes, scene.faces) == [None, 0]


def test_the_table_shows_every_row() -> None:
    row = Row("size", 64, 2, 6, 1.0, 0.0, 0, 0.7, 0.8, 0.71, 30.0, 100.0)
    empty = Row("number", 0, 2, 0, None, 0.5, 0, None, None, None, 30.0, 100.0)
    report = {
        "aligned_miou": 0.71,
        "faces": 4,
        "scene_shape": [960, 1280],
        "seed": 0,
        "engine": "torch",
        "rows": [vars(row), vars(empty)],
    }
    text = as_markdown(report)
    assert "| 64 | 6 | 1.000 | 0.00 | 0 | 0.700 | 0.710 | 30 |" in text
    assert "| 0 | 0 | - | 0.50 | 0 | - | - |" in text
