from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bisenet.classes import BY_NAME
from bisenet.parser import Parsing
from bisenet.regions import COLUMNS, count_parts, measure_regions

SKIN, NOSE, CLOTH = BY_NAME["skin"].id, BY_NAME["nose"].id, BY_NAME["cloth"].id


def by_name(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by class name, in their order."""
    return {str(row["name"]): dict(row) for _, row in table.iterrows()}


@pytest.fixture
def drawn(parsing: Parsing) -> Parsing:
    """A mask whose measurements are known by hand: 20 x 30 skin, 4 x 5 nose, two bits of cloth."""
    mask = np.zeros((50, 60), dtype=np.uint8)
    mask[10:30, 20:50] = SKIN
    mask[15:19, 30:35] = NOSE
    mask[40:45, 0:6] = CLOTH
    mask[40:45, 20:26] = CLOTH
    image = np.full((50, 60, 3), 10, dtype=np.uint8)
    image[mask == NOSE] = (200, 100, 50)
    confidence = np.where(mask == NOSE, np.float32(0.75), np.float32(0.5))
    return dataclasses.replace(parsing, image=image, mask=mask, confidence=confidence)


def test_measurements_of_a_drawn_mask(drawn: Parsing) -> None:
    table = by_name(measure_regions(drawn))
    assert list(table) == ["background", "skin", "nose", "cloth"]
    nose = table["nose"]
    assert nose["area_px"] == 20
    assert nose["image_share"] == pytest.approx(20 / 3000)
    assert nose["head_share"] == pytest.approx(20 / 600)
    box = [nose[f"{side}_px"] for side in ("left", "top", "right", "bottom")]
    assert box == [30, 15, 35, 19]
    assert (nose["centroid_x_px"], nose["centroid_y_px"]) == (32.0, 16.5)
    assert nose["perimeter_px"] == pytest.approx(2 * (3 + 4))
    assert nose["mean_color"] == "#c86432"
    assert nose["confidence"] == pytest.approx(0.75)
    assert nose["parts"] == 1
    assert table["cloth"]["parts"] == 2
    assert table["skin"]["area_px"] == 580
    assert {name: bool(np.isnan(row["head_share"])) for name, row in table.items()} == {
        "background": True,
        "skin": False,
        "nose": False,
        "cloth": True,
    }


def test_a_real_face_adds_up(parsing: Parsing) -> None:
    table = measure_regions(parsing)
    assert set(COLUMNS) <= set(table.columns)
    assert table["area_px"].sum() == parsing.mask.size
    assert table["image_share"].sum() == pytest.approx(1)
    assert table["head_share"].sum() == pytest.approx(1)
    assert {"skin", "hair", "nose", "l_eye", "r_eye", "u_lip", "l_lip"} <= set(table["name"])


def test_the_persons_left_eye_is_on_the_right_of_the_picture(parsing: Parsing) -> None:
    table = by_name(measure_regions(parsing))
    assert table["l_eye"]["centroid_x_px"] > table["r_eye"]["centroid_x_px"]


def test_diagonal_neighbours_are_one_part() -> None:
    assert count_parts(np.eye(3, dtype=bool)) == 1
    assert count_parts(np.array([[1, 0, 1]], dtype=bool)) == 2
    assert count_parts(np.zeros((2, 2), dtype=bool)) == 0
