from __future__ import annotations

import cv2
import numpy as np
import pytest

from bisenet.data.paste import before_warp


@pytest.mark.parametrize("scale", [0.5, 0.35, 0.21])
@pytest.mark.parametrize("rows", [2, 3])
def test_what_is_shrunk_before_a_warp_lands_where_it_would_without(scale: float, rows: int) -> None:
    image = np.zeros((200, 150, 3), np.uint8)
    image[60:120, 40:90] = 255
    matrix = np.array([[scale, 0, 7.25], [0, scale, 3.5], [0, 0, 1]])[:rows]
    small, way = before_warp(image, matrix, scale)
    assert max(small.shape) == round(200 * scale)
    out = cv2.warpAffine(small, way[:2], (120, 120)).astype(float)[..., 0]
    y, x = (np.average(axis, weights=out) for axis in np.indices(out.shape))
    assert (x, y) == pytest.approx((scale * 64.5 + 7.25, scale * 89.5 + 3.5), abs=0.15)


def test_stripes_finer_than_the_warp_become_grey() -> None:
    image = np.zeros((90, 90, 3), np.uint8)
    image[:, ::2] = 255
    matrix = np.array([[0.35, 0, 0], [0, 0.35, 0]])
    small, way = before_warp(image, matrix, 0.35)
    out = cv2.warpAffine(small, way, (30, 30))[3:-3, 3:-3]
    assert np.ptp(out) < 100
    same, unchanged = before_warp(image, matrix, 0.8)
    assert same is image
    assert unchanged is matrix
