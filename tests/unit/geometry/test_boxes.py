"""Overlap of boxes, and crops that show one face."""

from __future__ import annotations

import pytest

from bisenet.geometry.boxes import iou, is_duplicate
from bisenet.geometry.crops import square_crop


def test_overlap_is_intersection_over_union() -> None:
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0


@pytest.mark.parametrize(("x", "same"), [(50, True), (79, True), (81, False)])
def test_crops_with_near_centres_show_one_face(x: float, same: bool) -> None:
    """Near is less than 0.3 of the larger side."""
    shape = (200, 300)
    large, small = square_crop((50, 60), 100, 0, 64, shape), square_crop((x, 60), 40, 0, 64, shape)
    assert is_duplicate(small, [large]) is is_duplicate(large, [small]) is same
