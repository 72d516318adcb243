"""Searching long and large photos in overlapping tiles, as fine as a small face needs.

A photo that is shrunk as a whole loses faces the sooner the longer it is. A level shows the whole
photo at one scale, a tile at a time, so its cost grows with the photo's area and not with its
aspect, and no more than a tile is held in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.detection.detector import Proposal
from bisenet.geometry.boxes import Rect, is_duplicate, within
from bisenet.runtime.cancellation import step

# The smallest crop that the detector sees reliably, in pixels of what it is shown.
SEEN = 30.0
# The smallest crop that is sought: a face of 32 pixels from hairline to chin, which is 380 of the
# 512 pixels of an aligned crop.
SMALLEST_CROP = 32.0 * 512 / 380
# The longest side of a tile, in pixels of what the detector is shown.
TILE = 1152
# Tiles are padded to multiples of this: the engine prepares anew for every size.
QUANTUM = 128
# How much finer one level is than the one before, at most: the detector sees crops of 30 to some
# 500 pixels, and neighbouring tiles have to share what the coarser level could not see.
LEVEL_RATIO = 4.0
# A level that would be finer by less than this factor finds little that is new.
WORTHWHILE = 1.1
# Beyond this aspect a photo is a panorama or a scroll, which show people at any distance.
LONG = 2.5
# A proposal this near to the rim that its tile shares with the next, in pixels of what the
# detector is shown, is kept by both: it is told apart from its double later.
SLACK = 8.0

# Called with the number of tiles done and their total.
Progress = Callable[[int, int], None]


class Detector(Protocol):
    """What proposes crops in a part of a photo; ``detector.Detector`` says what it takes."""

    def propose_as_is(
        self, pixels: NDArray[np.uint8], quantum: int, least: float, /
    ) -> list[Proposal]: ...


@dataclass(frozen=True)
class Tile:
    """A part of the photo, and the part of it that no other tile answers for.

    Attributes:
        rect: x, y, width, height in the photo's pixels.
        core: x0, y0, x1, y1 in the photo's pixels; cores do not overlap and leave nothing out.
    """

    rect: Rect
    core: tuple[float, float, float, float]

    def owns(self, proposal: Proposal, slack: float) -> bool:
        """Whether a proposal's centre lies in the core, or within ``slack`` pixels of it."""
        x, y = proposal.centre
        x0, y0, x1, y1 = self.core
        return x0 - slack <= x < x1 + slack and y0 - slack <= y < y1 + slack


@dataclass(frozen=True)
class Level:
    """The photo at one scale: pixels shown to one of the photo's, and the tiles to show."""

    scale: float
    tiles: tuple[Tile, ...]

    @property
    def least(self) -> float:
        """The smallest crop that is seen reliably, in the photo's pixels."""
        return SEEN / self.scale


def is_long(shape: tuple[int, int]) -> bool:
    """Whether a photo of this height and width is a panorama or a scroll."""
    return max(shape) > LONG * min(shape)


def finer_levels(shape: tuple[int, int], least: float, wanted: float) -> list[Level]:
    """The levels from the smallest crop that is seen by now to the smallest that is wanted.

    Args:
        shape: the photo's height and width.
        least: side of the smallest crop that was seen reliably so far, the photo's pixels.
        wanted: side of the smallest crop that is sought, the photo's pixels.
    """
    # A crop of more than twice the photo's shorter side shows no whole face.
    least = min(least, 2.0 * min(shape))
    ratio = least / max(wanted, SEEN)
    if ratio < WORTHWHILE:
        return []
    count = max(1, math.ceil(math.log(ratio) / math.log(LEVEL_RATIO)))
    leasts = [least / ratio ** (number / count) for number in range(count + 1)]
    return [
        Level(SEEN / finer, tuple(tiles_of(shape, SEEN / finer, coarser)))
        for coarser, finer in pairwise(leasts)
    ]


def tiles_of(shape: tuple[int, int], scale: float, overlap: float) -> list[Tile]:
    """Tiles of about one size that cover a photo, row by row.

    Args:
        shape: the photo's height and width.
        scale: pixels shown to one of the photo's.
        overlap: pixels of the photo that neighbours share at least.
    """
    rows, columns = (_parts(length, TILE / scale, overlap) for length in shape)
    return [
        Tile((x, y, width, height), (x0, y0, x1, y1))
        for y, height, y0, y1 in rows
        for x, width, x0, x1 in columns
    ]


def propose(
    detector: Detector,
    pixels: NDArray[np.uint8],
    level: Level,
    least: float,
    done: Callable[[], None] = lambda: None,
) -> list[Proposal]:
    """Crops that may show a face, likeliest first, each place once.

    Args:
        pixels: the photo ``(H, W, 3)``.
        least: lowest score.
        done: called after each tile.

    Raises:
        Cancelled: whoever started the search stopped it; asked before each tile.
    """
    seen: list[Proposal] = []
    for tile in level.tiles:
        step()
        seen += _seen_in(detector, pixels, tile, level.scale, least)
        done()
    kept: list[Proposal] = []
    for one in sorted(seen, key=lambda p: -p.score):
        if not is_duplicate(one, kept):
            kept.append(one)
    return kept


def counted(levels: Sequence[Level], progress: Progress | None) -> Callable[[], None]:
    """A callback for each tile of some levels, which tells ``progress`` how many are done."""
    total = sum(len(level.tiles) for level in levels)
    numbers: Iterator[int] = iter(range(1, total + 1))

    def done() -> None:
        number = next(numbers)
        if progress is not None:
            progress(number, total)

    return done


def _seen_in(
    detector: Detector, pixels: NDArray[np.uint8], tile: Tile, scale: float, least: float
) -> Iterator[Proposal]:
    """The proposals in a tile's core, in the photo's pixels."""
    x, y, width, height = tile.rect
    small = _shown(pixels[within(tile.rect)], scale)
    fx, fy = width / small.shape[1], height / small.shape[0]
    for one in detector.propose_as_is(small, QUANTUM, least):
        centre = (x + (one.centre[0] + 0.5) * fx - 0.5, y + (one.centre[1] + 0.5) * fy - 0.5)
        here = Proposal(centre, one.side * math.sqrt(fx * fy), one.roll, one.score)
        if tile.owns(here, SLACK / scale):
            yield here


def _shown(part: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A tile at its scale; its pixels are averaged."""
    size = tuple(max(1, round(length * scale)) for length in (part.shape[1], part.shape[0]))
    way = cv2.INTER_LINEAR if scale > 0.5 else cv2.INTER_AREA
    return np.asarray(cv2.resize(part, size, interpolation=way), np.uint8)


def _parts(length: int, longest: float, overlap: float) -> list[tuple[int, int, float, float]]:
    """A side in equal overlapping parts: start, extent, and where each part's core lies."""
    count = 1
    if length > longest:
        count = math.ceil((length - overlap) / max(longest - overlap, 1.0))
    extent = math.ceil((length + (count - 1) * overlap) / count)
    starts = [round(number * (length - extent) / max(count - 1, 1)) for number in range(count)]
    # The cores of neighbours meet in the middle of what both show.
    meets = [(after + before + extent) / 2 for before, after in pairwise(starts)]
    edges = [-math.inf, *meets, math.inf]
    return [
        (start, extent, low, high)
        for start, (low, high) in zip(starts, pairwise(edges), strict=True)
    ]
