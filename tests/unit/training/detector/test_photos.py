"""Whole photos among the detector's scenes: the targets go where the photo goes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bisenet.training.detector.photos import FacePhoto, view
from bisenet.training.detector.scenes import SceneMaker
from bisenet.training.detector.targets import Target
from tests.unit.training.helpers import face


def _photo() -> FacePhoto:
    """A grey photo with a red dot where its face is, and a green one above it."""
    image = np.full((300, 220, 3), 90, np.uint8)
    cv2.circle(image, (150, 120), 9, (255, 0, 0), -1)
    cv2.circle(image, (150, 85), 9, (0, 255, 0), -1)
    return FacePhoto(image, (Target((150.0, 120.0), 80.0, 0.0),))


def _dot(scene: np.ndarray, channel: int) -> tuple[float, float]:
    others = [c for c in range(3) if c != channel]
    ys, xs = np.nonzero((scene[..., channel] > 170) & (scene[..., others].max(2) < 80))
    return float(xs.mean()), float(ys.mean())


@pytest.mark.parametrize("roll", [0.0, 40.0, -150.0])
def test_a_target_moves_with_its_photo(roll: float) -> None:
    seen = 0
    for seed in range(40):
        backdrop = np.full((384, 384, 3), 60, np.uint8)
        scene, targets = view(np.random.default_rng(seed), _photo(), backdrop, roll)
        if not targets or not 40 < targets[0].side < 110:
            continue
        (target,) = targets
        if not all(60 < v < 324 for v in target.centre):
            continue
        red, green = _dot(scene, 0), _dot(scene, 1)
        assert red == pytest.approx(target.centre, abs=1.5)
        above = np.degrees(np.arctan2(green[0] - red[0], red[1] - green[1]))
        assert (above - target.roll + 180) % 360 - 180 == pytest.approx(0, abs=4)
        reach = np.hypot(green[0] - red[0], green[1] - red[1])
        assert reach == pytest.approx(35 / 80 * target.side, rel=0.08)
        seen += 1
    assert seen >= 3


def test_photos_are_among_the_scenes() -> None:
    maker = SceneMaker([face(0, 128)], backgrounds=6, photos=[[_photo()]])
    red = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        scene, targets = maker.scene(rng, 256)
        assert scene.shape == (256, 256, 3)
        assert all(0 <= v < 256 for t in targets for v in t.centre)
        red += len(targets) > 0
    assert red > 10
