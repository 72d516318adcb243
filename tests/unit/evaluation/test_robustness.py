from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.classes import BY_NAME
from bisenet.data.augment import IGNORE
from bisenet.data.faces import find_faces, read_face
from bisenet.evaluation import robustness
from tests.unit.training.helpers import face, write_faces

Array = NDArray[np.uint8]


def test_turning_and_scaling_keep_photo_and_mask_together() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    mask = np.zeros((128, 128), np.uint8)
    image[30:90, 40:100], mask[30:90, 40:100] = 255, 1
    same_image, same_mask = robustness.turned_and_scaled(0, 1)(image, mask)
    np.testing.assert_array_equal(same_image, image)
    np.testing.assert_array_equal(same_mask, mask)
    for degrees, scale in ((30, 1.0), (0, 0.5), (0, 0.35), (45, 0.75)):
        turned, labels = robustness.turned_and_scaled(degrees, scale)(image, mask)
        assert (labels == 1).sum() == pytest.approx(3600 * scale**2, rel=0.06)
        assert ((turned[..., 0] > 127) == (labels == 1)).mean() > 0.995


def test_a_shrunk_photo_is_averaged_not_sampled() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[:, ::2] = 255  # stripes of a pixel: from afar, grey
    small, _ = robustness.turned_and_scaled(0, 0.35)(image, np.ones((128, 128), np.uint8))
    assert np.ptp(small[50:78, 50:78]) < 100
    assert small[50:78, 50:78].mean() == pytest.approx(127.5, abs=3)


def test_the_covered_third_is_not_scored() -> None:
    image, mask = face(1)
    covered, labels = robustness.occluded_third(image, mask)
    height = np.flatnonzero((mask > 0).any(1)).size
    assert (labels == IGNORE).any(1).sum() == height // 3
    np.testing.assert_array_equal(covered[labels == IGNORE], 127)
    np.testing.assert_array_equal(covered[labels != IGNORE], image[labels != IGNORE])


def test_robustness_of_a_parser_that_knows_colours(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path / "data", 2, size=96), "bisenet")
    skin = read_face(files[0])[0][40, 48].astype(int)

    def predict(image: Array) -> Array:
        near = np.abs(image.astype(int) - skin).max(-1) < 50
        return np.where(near, BY_NAME["skin"].id, 0).astype(np.uint8)

    rows = robustness.robustness(predict, files)
    by_name = {(r["group"], r["condition"]): r for r in rows}
    assert len(rows) == len(robustness.CONDITIONS) == 13
    assert by_name["rotation", "0°"]["kept"] == by_name["scale", "1"]["kept"] == 1
    assert by_name["light", "low light"]["miou"] < by_name["rotation", "15°"]["miou"]
    robustness.write_report(rows, tmp_path / "out")
    table = (tmp_path / "out" / "robustness.md").read_text()
    assert "| scale | 0.35 |" in table
    assert "plotly" in (tmp_path / "out" / "robustness.html").read_text().lower()


def test_conditions_do_not_change_their_input() -> None:
    image, mask = face(3)
    before = image.copy(), mask.copy()
    for condition in robustness.CONDITIONS:
        changed, labels = condition.change(image, mask)
        assert changed.shape == image.shape
        assert labels.shape == mask.shape
        assert changed.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])
