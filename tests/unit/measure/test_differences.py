from __future__ import annotations

import numpy as np
import pytest

from bisenet.measure.differences import label_difference


def test_the_share_counts_the_pixels_that_differ() -> None:
    first = np.zeros((10, 10), dtype=np.uint8)
    second = first.copy()
    second[:2, :5] = 3
    difference = label_difference(first, second)
    assert difference.share == pytest.approx(0.10)
    assert difference.differs.sum() == 10
    assert not difference.resampled
    assert label_difference(first, first).share == 0


def test_another_size_is_resampled_and_said_so() -> None:
    first = np.zeros((10, 10), dtype=np.uint8)
    first[:, 5:] = 1
    second = np.kron(first, np.ones((3, 3), dtype=np.uint8)).astype(np.uint8)
    difference = label_difference(first, second)
    assert difference.resampled
    assert difference.share == 0
