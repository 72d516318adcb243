"""Differences between two parsings of a real face."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bisenet.classes import BY_NAME
from bisenet.measure.differences import difference_picture, label_difference, region_deltas
from bisenet.measure.regions import measure_regions
from bisenet.parser import Parsing


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
