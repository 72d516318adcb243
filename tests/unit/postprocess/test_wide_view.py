"""The wide view: how far it reaches, what it may continue, and that the seam does not show."""

from __future__ import annotations

import numpy as np
import pytest

from bisenet.classes import BACKGROUND, BY_NAME
from bisenet.geometry.crops import Crop, square_crop, whole_crop
from bisenet.postprocess.logits import LogitGrid
from bisenet.postprocess.resample import covered, label_window
from bisenet.postprocess.wide_view import RAMP, WIDEST, WideView, cut_off, join, wide_crop

HAIR, CLOTH, SKIN, NOSE = (BY_NAME[name].id for name in ("hair", "cloth", "skin", "nose"))
GRID = 64
SHAPE = (900, 700)


def crop_at(side: float, roll: float = 0.0) -> Crop:
    return square_crop((350, 250), side, roll, 512, SHAPE)


def logits_of(labels: np.ndarray) -> np.ndarray:
    """Logits ``(19, g, g)`` in which a label map ``(g, g)`` leads clearly."""
    return np.where(np.arange(19)[:, None, None] == labels, 8, 0).astype(np.float32)


def test_a_photo_that_the_fine_crop_shows_whole_is_not_looked_at_again() -> None:
    assert wide_crop(whole_crop(300, 200, 512)) is None
    assert wide_crop(crop_at(2000)) is None


@pytest.mark.parametrize("roll", [0.0, 25.0])
def test_it_shows_at_most_three_times_the_side_about_the_same_centre(roll: float) -> None:
    fine = crop_at(120, roll)
    wide = wide_crop(fine)
    assert wide is not None
    assert wide.size == 384
    assert wide.side == pytest.approx(WIDEST * fine.side)
    assert wide.centre == pytest.approx(fine.centre)


def test_it_shows_no_more_than_the_photo_has() -> None:
    wide = wide_crop(crop_at(600))
    assert wide is not None
    assert wide.side == pytest.approx(2 * (SHAPE[0] - 250), rel=0.01)


def test_the_fine_view_decides_on_the_face_and_the_wide_one_at_the_rim() -> None:
    fine = crop_at(200)
    wide = wide_crop(fine)
    assert wide is not None
    inner, rim = np.full((GRID, GRID), SKIN), np.full((GRID, GRID), HAIR)
    joined, view = join(logits_of(inner), fine, logits_of(rim), wide)
    ramp = int(np.ceil(RAMP * (GRID - 1) / 2))
    middle = np.s_[ramp + 1 : -ramp - 1, ramp + 1 : -ramp - 1]
    assert (joined.argmax(0)[middle] == SKIN).all()
    outer = np.stack([joined[:, 0], joined[:, -1], joined[:, :, 0], joined[:, :, -1]])
    assert (outer.argmax(1) == HAIR).all()
    np.testing.assert_allclose(outer[:, HAIR], 8, atol=1e-4)
    assert (view.logits.argmax(0) == HAIR).all()


def test_only_this_persons_hair_and_clothes_go_on() -> None:
    fine = crop_at(200)
    wide = wide_crop(fine)
    assert wide is not None
    seen = np.full((GRID, GRID), BACKGROUND)
    seen[28:64, 28:36] = CLOTH  # from the middle down to the edge
    seen[2:8, 2:8] = HAIR  # somebody else's, apart from this person
    seen[50:54, 30:34] = NOSE  # a face within the clothes is nobody's nose here
    _, view = join(logits_of(seen), fine, logits_of(seen), wide)
    found = view.logits.argmax(0)
    assert (found[2:8, 2:8] == BACKGROUND).all()
    assert (found[55:64, 29:35] == CLOTH).all()
    assert NOSE not in found


@pytest.mark.parametrize("roll", [0.0, 33.0, -90.0])
def test_covered_is_where_labels_come_from_the_crop(roll: float) -> None:
    crop = crop_at(333, roll)
    grid = LogitGrid(logits_of(np.full((GRID, GRID), SKIN)), crop.size)
    _, expected = label_window(grid, crop.matrix, crop.window)
    found = covered(crop, grid)
    np.testing.assert_array_equal(found, expected)
    assert found.any()


def seen(side: float, roll: float = 0.0) -> tuple[WideView, np.ndarray]:
    """A wide view about (350, 250), and which pixels of the photo it covers."""
    wide = wide_crop(crop_at(side, roll))
    assert wide is not None
    grid = LogitGrid(np.zeros((19, 48, 48), np.float32), wide.size)
    plane = np.zeros(SHAPE, bool)
    x, y, width, height = wide.window
    plane[y : y + height, x : x + width] = covered(wide, grid)
    return WideView(wide, np.zeros((19, 48, 48), np.float16)), plane


@pytest.mark.parametrize("roll", [0.0, 25.0, -160.0])
@pytest.mark.parametrize("side", [20.0, 120.0])
def test_what_goes_on_beyond_the_wide_view_is_cut_off(side: float, roll: float) -> None:
    view, inside = seen(side, roll)
    ids = inside.astype(np.uint8)
    mask = np.where(inside, HAIR, BACKGROUND).astype(np.uint8)
    assert cut_off(view, 1, mask, ids) == (HAIR,)
    mask[:, :350] = np.where(inside[:, :350], CLOTH, BACKGROUND)
    assert cut_off(view, 1, mask, ids) == (CLOTH, HAIR)
    # Another's view goes on there, or the pixels are another's.
    assert cut_off(view, 1, mask, np.where(inside, 1, 2).astype(np.uint8)) == ()
    assert cut_off(view, 2, mask, ids) == ()
    # What ends within the view, and skin, which a wide view never shows, are not.
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]]
    within = np.hypot(ys - 250, xs - 350) < 1.3 * side
    assert cut_off(view, 1, np.where(within, mask, BACKGROUND).astype(np.uint8), ids) == ()
    assert cut_off(view, 1, np.where(inside, SKIN, BACKGROUND).astype(np.uint8), ids) == ()


def test_what_ends_with_the_photo_is_not_cut_off() -> None:
    view, inside = seen(600)  # as wide as the photo has to show
    ids, mask = inside.astype(np.uint8), np.where(inside, HAIR, BACKGROUND).astype(np.uint8)
    assert inside.all()
    assert cut_off(view, 1, mask, ids) == ()
    view, inside = seen(200)  # beyond the photo above, within it below
    ids, mask = inside.astype(np.uint8), np.zeros(SHAPE, np.uint8)
    mask[:250] = np.where(inside[:250], HAIR, BACKGROUND)
    mask[250:, 340:360] = np.where(inside[250:, 340:360], CLOTH, BACKGROUND)
    assert inside[0].any()
    assert not inside[-1].any()
    left_and_right = cut_off(view, 1, mask, ids)
    mask[:, :80], mask[:, 620:] = BACKGROUND, BACKGROUND
    assert left_and_right == (HAIR,)
    assert cut_off(view, 1, mask, ids) == ()
    mask[250:, 320:380] = np.where(inside[250:, 320:380], CLOTH, BACKGROUND)
    assert cut_off(view, 1, mask, ids) == (CLOTH,)
