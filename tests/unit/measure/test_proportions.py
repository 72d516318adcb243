from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bisenet.classes import BY_NAME
from bisenet.measure.proportions import pair_table, proportions


def drawn_face() -> np.ndarray:
    """A face that is its own mirror image, with eyes of 6 x 4 pixels on one level."""
    mask = np.zeros((101, 101), dtype=np.uint8)
    mask[10:30, 20:81] = BY_NAME["hair"].id
    mask[30:90, 30:71] = BY_NAME["skin"].id
    mask[44:48, 36:42] = BY_NAME["r_eye"].id
    mask[44:48, 59:65] = BY_NAME["l_eye"].id
    mask[70:74, 45:56] = BY_NAME["u_lip"].id
    return mask


def test_a_mirror_image_is_symmetric() -> None:
    figures = proportions(drawn_face())
    assert figures.symmetry == pytest.approx(1.0)
    assert figures.tilt == pytest.approx(0.0)
    assert figures.hair_to_face == pytest.approx(20 * 61 / (60 * 41))
    assert figures.width_to_height == pytest.approx(40 / 59, abs=0.02)


def test_an_asymmetry_lowers_the_index() -> None:
    mask = drawn_face()
    mask[60:80, 30:45] = 0
    symmetry = proportions(mask).symmetry
    assert symmetry is not None
    assert 0.6 < symmetry < 0.95


def test_tilt_is_positive_when_the_persons_left_is_higher() -> None:
    turned = np.asarray(Image.fromarray(drawn_face()).rotate(10, resample=Image.Resampling.NEAREST))
    figures = proportions(turned)
    assert figures.tilt == pytest.approx(10, abs=1.0)
    assert figures.symmetry == pytest.approx(1.0, abs=0.08)
    assert figures.width_to_height == pytest.approx(40 / 59, abs=0.04)


def test_pairs_are_measured_side_by_side() -> None:
    mask = drawn_face()
    mask[44:46, 59:65] = BY_NAME["skin"].id
    row = pair_table(mask).set_index("pair").loc["Eyes"]
    assert (row["left_area_px"], row["right_area_px"]) == (12, 24)
    assert (row["left_height_px"], row["right_height_px"]) == (2, 4)
    assert row["left_to_right"] == pytest.approx(0.5)
    assert row["tilt_deg"] == pytest.approx(-np.degrees(np.arctan2(1, 23)))


def test_a_missing_twin_leaves_gaps_and_no_pair_no_row() -> None:
    mask = drawn_face()
    mask[mask == BY_NAME["l_eye"].id] = BY_NAME["skin"].id
    table = pair_table(mask)
    assert table["pair"].tolist() == ["Eyes"]
    assert np.isnan(table["left_to_right"][0])
    assert proportions(mask).symmetry is None
    empty = proportions(np.zeros((5, 5), dtype=np.uint8))
    assert (empty.symmetry, empty.hair_to_face, empty.tilt) == (None, None, None)
