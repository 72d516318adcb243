from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from skimage.measure import label, regionprops_table

from bisenet.classes import BY_NAME, NUM_CLASSES
from bisenet.measure.regions import COLUMNS, Runs, measure_regions, perimeters
from bisenet.parser import Parsing

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


def masks() -> dict[str, NDArray[np.uint8]]:
    """Shapes that a fast measurement might get wrong."""
    noise = np.random.default_rng(7).integers(0, NUM_CLASSES, (37, 53), dtype=np.uint8)
    rings = np.zeros((40, 40), np.uint8)
    for step in range(0, 20, 3):
        rings[step : 40 - step, step : 40 - step] = 1 + step % 5
    checks = (np.indices((9, 12)).sum(axis=0) % 2).astype(np.uint8)
    return {
        "noise": noise,
        "blobs": np.repeat(np.repeat(noise, 4, axis=0), 3, axis=1),
        "rings": rings,
        "checks": checks,
        "one pixel": np.full((1, 1), 18, np.uint8),
        "one row": noise[:1],
        "one column": noise[:, :1],
        "one class": np.full((8, 9), 17, np.uint8),
    }


@pytest.mark.parametrize("name", masks())
def test_the_numbers_are_scikit_images(parsing: Parsing, name: str) -> None:
    mask = masks()[name]
    image = np.random.default_rng(1).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    confidence = np.random.default_rng(2).random(mask.shape, np.float32)
    check_against_skimage(
        dataclasses.replace(parsing, image=image, mask=mask, confidence=confidence)
    )


def test_the_numbers_of_a_real_face_are_scikit_images(parsing: Parsing) -> None:
    check_against_skimage(parsing)


def check_against_skimage(parsing: Parsing) -> None:
    mask = parsing.mask
    truth = regionprops_table(
        mask + 1, properties=("label", "area", "bbox", "centroid", "perimeter")
    )
    table = measure_regions(parsing)
    assert table["class_id"].tolist() == (truth["label"] - 1).tolist()
    for ours, theirs in {
        "area_px": "area",
        "left_px": "bbox-1",
        "top_px": "bbox-0",
        "right_px": "bbox-3",
        "bottom_px": "bbox-2",
        "centroid_x_px": "centroid-1",
        "centroid_y_px": "centroid-0",
        "perimeter_px": "perimeter",
    }.items():
        assert table[ours].to_numpy() == pytest.approx(truth[theirs], rel=1e-12), ours
    for row in table.to_dict("records"):
        region = mask == row["class_id"]
        assert row["parts"] == label(region, connectivity=2).max()
        assert row["confidence"] == pytest.approx(parsing.confidence[region].mean(dtype=float))
        red, green, blue = (round(float(v)) for v in parsing.image[region].mean(axis=0))
        assert row["mean_color"] == f"#{red:02x}{green:02x}{blue:02x}"


def test_absent_classes_have_no_runs_and_no_boundary() -> None:
    mask = np.full((3, 4), SKIN, np.uint8)
    runs = Runs.of(mask)
    assert len(runs.row) == 3
    assert runs.parts().tolist() == [int(i == SKIN) for i in range(NUM_CLASSES)]
    assert np.flatnonzero(perimeters(mask)).tolist() == [SKIN]


def test_a_picture_without_pixels_has_no_rows(parsing: Parsing) -> None:
    nothing = np.zeros((0, 0), np.uint8)
    table = measure_regions(dataclasses.replace(parsing, mask=nothing))
    assert table.empty
    assert list(table.columns) == list(COLUMNS)
