"""Tiles: they leave nothing out, share what a coarser level missed, and find nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.detection.detector import Proposal
from bisenet.detection.tiles import (
    LEVEL_RATIO,
    SEEN,
    SMALLEST_CROP,
    TILE,
    Level,
    counted,
    finer_levels,
    is_long,
    propose,
    tiles_of,
)
from bisenet.geometry.boxes import within
from bisenet.runtime.cancellation import Cancelled, cancelling, each_step

# Height and width.
SHAPES = [(200, 40_000), (40_000, 200), (3000, 4000), (4000, 6000), (900, 1300), (1, 65_500)]
WHOLE_PHOTO = 768


def levels_of(shape: tuple[int, int]) -> list[Level]:
    """The levels after a pass over the whole photo at 768 pixels."""
    return finer_levels(shape, SEEN * max(shape) / WHOLE_PHOTO, SMALLEST_CROP)


@pytest.mark.parametrize("shape", SHAPES)
def test_tiles_leave_nothing_out(shape: tuple[int, int]) -> None:
    for level in levels_of(shape) or [Level(0.5, tuple(tiles_of(shape, 0.5, 40)))]:
        shown = np.zeros(shape, bool)
        for tile in level.tiles:
            x, y, width, height = tile.rect
            assert 0 <= x < x + width <= shape[1]
            assert 0 <= y < y + height <= shape[0]
            assert max(width, height) * level.scale <= TILE + 1
            shown[within(tile.rect)] = True
        assert shown.all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_place_belongs_to_one_tile(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for level in levels_of(shape):
        for _ in range(50):
            x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
            owners = [t for t in level.tiles if t.owns(Proposal((x, y), 50.0, 0.0, 1.0), 0.0)]
            assert len(owners) == 1
            left, top, width, height = owners[0].rect
            assert left <= x <= left + width
            assert top <= y <= top + height


@pytest.mark.parametrize("shape", SHAPES)
def test_a_crop_that_a_coarser_level_missed_lies_whole_in_one_tile(
    shape: tuple[int, int],
) -> None:
    """As far as the photo shows it."""
    least = min(SEEN * max(shape) / WHOLE_PHOTO, 2 * min(shape))
    rng = np.random.default_rng(1)
    for level in levels_of(shape):
        for _ in range(50):
            x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
            (owner,) = (t for t in level.tiles if t.owns(Proposal((x, y), least, 0.0, 1.0), 0.0))
            left, top, width, height = owner.rect
            assert left <= max(0, x - least / 2 + 1)
            assert top <= max(0, y - least / 2 + 1)
            assert left + width >= min(shape[1], x + least / 2 - 1)
            assert top + height >= min(shape[0], y + least / 2 - 1)
        least = level.least


def test_levels_go_down_to_a_face_of_32_pixels() -> None:
    levels = levels_of((1500, 40_000))
    scales = [level.scale for level in levels]
    assert len(levels) > 1
    assert scales[-1] == pytest.approx(SEEN / SMALLEST_CROP)
    assert all(b / a <= LEVEL_RATIO + 0.01 for a, b in pairwise(scales))


def test_what_was_seen_already_is_not_searched_again() -> None:
    assert levels_of((576, 768)) == []
    assert finer_levels((3000, 4000), least=150, wanted=150) == []
    assert finer_levels((20, 900), least=35, wanted=SMALLEST_CROP) == []


def shown_pixels(shape: tuple[int, int]) -> float:
    """Pixels of all tiles of all levels, as the detector is shown them."""
    return sum(
        tile.rect[2] * tile.rect[3] * level.scale**2
        for level in levels_of(shape)
        for tile in level.tiles
    )


def test_the_cost_grows_with_the_area_and_not_with_the_aspect() -> None:
    square = shown_pixels((3500, 3500))
    assert shown_pixels((400, 30_625)) < 1.3 * square
    assert shown_pixels((7000, 7000)) == pytest.approx(4 * square, rel=0.2)


def test_long_is_told_by_the_aspect() -> None:
    assert is_long((300, 12_000))
    assert is_long((12_000, 300))
    assert not is_long((3000, 4000))


class BrightSpots:
    """In place of the detector: a proposal at every bright spot that it is shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []

    def propose_as_is(
        self, pixels: NDArray[np.uint8], quantum: int, least: float
    ) -> list[Proposal]:
        self.shown.append((pixels.shape[0], pixels.shape[1]))
        rows, columns = np.nonzero(pixels[..., 0] > 100)
        spots: list[Proposal] = []
        for x, y in zip(columns.tolist(), rows.tolist(), strict=True):
            if not any(abs(s.centre[0] - x) < 30 and abs(s.centre[1] - y) < 30 for s in spots):
                spots.append(Proposal((x + 1.0, y + 1.0), 40.0, 0.0, 0.9))
        return spots


@pytest.fixture
def spotted() -> tuple[NDArray[np.uint8], list[tuple[int, int]]]:
    """A photo of 700 x 6000 with a spot every 97 pixels, so that many lie where tiles meet."""
    photo = np.zeros((700, 6000, 3), np.uint8)
    spots = [(x, 100 + x % 500) for x in range(40, 5960, 97)]
    for x, y in spots:
        photo[y - 2 : y + 3, x - 2 : x + 3] = 255
    return photo, spots


def test_nothing_is_proposed_twice_and_nothing_is_lost(
    spotted: tuple[NDArray[np.uint8], list[tuple[int, int]]],
) -> None:
    photo, spots = spotted
    level = levels_of((700, 6000))[-1]
    assert len(level.tiles) > 3
    found = propose(BrightSpots(), photo, level, 0.3)
    assert len(found) == len(spots)
    assert sorted(p.centre for p in found) == [pytest.approx(s, abs=3) for s in sorted(spots)]
    assert found[0].side == pytest.approx(40 / level.scale, rel=0.02)


def test_the_search_says_how_far_it_is() -> None:
    photo = np.zeros((300, 9000, 3), np.uint8)
    levels = levels_of((300, 9000))
    told: list[tuple[int, int]] = []
    done: Callable[[], None] = counted(levels, lambda *state: told.append(state))
    for level in levels:
        propose(BrightSpots(), photo, level, 0.3, done)
    total = sum(len(level.tiles) for level in levels)
    assert told == [(number, total) for number in range(1, total + 1)]


def test_the_search_stops_between_tiles() -> None:
    photo = np.zeros((300, 9000, 3), np.uint8)
    level = levels_of((300, 9000))[-1]
    detector = BrightSpots()
    stopping = each_step(cancelling(lambda: len(detector.shown) == 2))
    with stopping, pytest.raises(Cancelled):
        propose(detector, photo, level, 0.3)
    assert len(detector.shown) == 2
    assert len(level.tiles) > 3
