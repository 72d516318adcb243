from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bisenet.classes import BY_NAME
from bisenet.measure.differences import difference_picture, label_difference, region_deltas
from bisenet.measure.regions import measure_regions
from bisenet.parser import Parsing


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


def test_the_picture_marks_what_differs(parsing: Parsing) -> None:
    other = parsing.mask.copy()
    other[:20] = 5
    difference = label_difference(parsing.mask, other)
    picture = difference_picture(parsing, difference)
    assert (picture[difference.differs] == (255, 45, 85)).all()
    quiet = picture[~difference.differs]
    assert (quiet[:, 0] == quiet[:, 1]).all()


def test_deltas_join_by_class_and_absent_means_zero(parsing: Parsing) -> None:
    bald = parsing.mask.copy()
    bald[bald == BY_NAME["hair"].id] = 0
    first = measure_regions(parsing)
    second = measure_regions(dataclasses.replace(parsing, mask=bald))
    deltas = region_deltas(first, second).set_index("region")
    hair = deltas.loc["Hair"]
    assert hair["area_px_second"] == 0
    assert hair["area_px_delta"] == -hair["area_px_first"]
    assert np.isnan(hair["confidence_second"])
    assert deltas["image_share_delta"].sum() == pytest.approx(0)
    assert deltas.loc["Nose", "area_px_delta"] == 0
    assert deltas["head_share_delta"].isna()["Background"]
