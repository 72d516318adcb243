"""Recall by group: intervals, poses, and what counts as the known face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bisenet.classes import BY_NAME, LABEL_ORDERS
from bisenet.evaluation import recall
from bisenet.evaluation.recall import Found
from bisenet.evaluation.report import ears_on_hair, swapped_sides
from bisenet.geometry.crops import square_crop
from bisenet.postprocess.landmarks import Landmarks


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 84, 0.900, 0.988), (0, 100, 0.0, 0.0370), (20, 20, 0.839, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson(hits: int, of: int, low: float, high: float) -> None:
    """Values of statsmodels' proportion_confint(method="wilson")."""
    assert recall.wilson(hits, of) == pytest.approx((low, high), abs=6e-4)


def _marks(nose: tuple[float, float], turn: float = 0.0) -> Landmarks:
    angle = np.deg2rad(turn)
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = [(-50.0, 0.0), (50.0, 0.0), (0.0, 112.0), nose]
    left, right, mouth, tip = ((float(x), float(y)) for x, y in (spin @ p for p in points))
    return Landmarks((left, right), True, mouth, 0.9, nose=tip)


@pytest.mark.parametrize(
    ("nose", "turn", "wanted"),
    [
        ((0.0, 40.0), 0.0, ("facing", "level", "below 10°")),
        ((14.0, 40.0), 20.0, ("half turned", "level", "10 to 30°")),
        ((-30.0, 54.0), -80.0, ("profile", "level", "30° and more")),
        ((0.0, 22.0), 0.0, ("facing", "up", "below 10°")),
        ((2.0, 62.0), 0.0, ("facing", "down", "below 10°")),
    ],
)
def test_poses(nose: tuple[float, float], turn: float, wanted: tuple[str, str, str]) -> None:
    assert tuple(recall.pose_groups(_marks(nose, turn)).values()) == wanted


def test_a_face_that_cannot_be_read_has_no_pose() -> None:
    assert set(recall.pose_groups(None).values()) == {"not read"}


def test_the_table_counts_by_group() -> None:
    results = [
        Found({"set": "a"}, True, 0),
        Found({"set": "a"}, True, 2),
        Found({"set": "b"}, False, 1),
    ]
    rates = recall.table(results)
    assert (rates["all"]["all"].photos, rates["all"]["all"].found) == (3, 2)
    assert (rates["set"]["a"].exactly_one, rates["set"]["a"].others) == (1, 2)
    assert rates["set"]["b"].found == 0
    assert "| set: a | 2 | 1.000 | 0.34 to 1.00 | 0.500 | 1.000 |" in recall.as_markdown(rates)


def _labelled(folder: Path, hair: tuple[slice, slice], shape: tuple[int, int]) -> tuple[Path, Path]:
    """A photo of noise and its mask, in which only hair is labelled."""
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ids = np.zeros(shape, np.uint8)
    ids[hair] = LABEL_ORDERS["celebamask-hq"].index("hair")
    photo, mask = folder / "images" / "a.png", folder / "masks" / "a.png"
    Image.fromarray(noise).save(photo)
    Image.fromarray(ids).save(mask)
    return photo, mask


def test_a_head_of_which_only_hair_is_labelled_is_found_below_its_top(tmp_path: Path) -> None:
    photo, mask = _labelled(tmp_path, (slice(40, 110), slice(80, 120)), (400, 200))
    trial = recall.labelled_trial(photo, mask, "street", "celebamask-hq")
    assert trial is not None
    assert trial.is_it is not None
    assert trial.is_it(square_crop((100.0, 70.0), 70.0, 0.0, 64, (400, 200)))
    assert not trial.is_it(square_crop((100.0, 300.0), 70.0, 0.0, 64, (400, 200)))
    assert not trial.is_it(square_crop((180.0, 70.0), 70.0, 0.0, 64, (400, 200)))
    below = recall.nobody(tmp_path, photo, "celebamask-hq")
    assert below is not None
    assert np.array_equal(below, np.asarray(Image.open(photo))[200:])


def test_a_lower_half_that_shows_hair_is_not_nobody(tmp_path: Path) -> None:
    photo, _ = _labelled(tmp_path, (slice(250, 300), slice(80, 120)), (400, 200))
    assert recall.nobody(tmp_path, photo, "celebamask-hq") is None


def test_swapped_sides_and_ears_on_hair() -> None:
    counts = np.zeros((19, 19), np.int64)
    left, right = BY_NAME["l_ear"].id, BY_NAME["r_ear"].id
    counts[left, left], counts[left, right], counts[BY_NAME["hair"].id, right] = 90, 5, 5
    assert swapped_sides(counts) == {
        "brow": None,
        "eye": None,
        "ear": pytest.approx(5 / 95, abs=1e-5),
    }
    assert ears_on_hair(counts) == pytest.approx(0.05)
    assert ears_on_hair(np.zeros((19, 19), np.int64)) is None
