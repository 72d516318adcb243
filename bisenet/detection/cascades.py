"""Proposals by OpenCV's own cascades, for what the detector does not see: profiles, odd pictures.

The cascades (Viola and Jones, CVPR 2001; Lienhart et al., 2003) come inside OpenCV's package, so
nothing is downloaded. They run without their usual voting, which finds more and errs more: the
network, on a small crop of each proposal, is the judge of what is a face.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.geometry.crops import Crop, Point, square_crop

# The search sees the photo at this many pixels on its longer side.
SEARCH_SIDE = 512
# Faces this many times smaller than the largest are still sought, upright and tilted.
SIZE_RANGE, TILTED_RANGE = 3.0, 2.5
CASCADE_WINDOW = 20
# From one size that a cascade looks for to the next. Steps of 1.2 take twice the time and, on
# composed scenes, find no more: the cascade forgives a sixth either way.
SCALE_STEP = 1.3
# Where a cascade's box lies in an aligned crop, in units of the crop's side: its width, and how
# far its centre is below the crop's. Measured on the training faces.
BOX_SIDE, BOX_BELOW = 0.625, 0.05


@dataclass(frozen=True)
class Proposal:
    """A box that a cascade marks: its centre and side in the photo's pixels, and its votes."""

    centre: Point
    side: float
    turn: float
    votes: int

    def crop(self, size: int, shape: tuple[int, int]) -> Crop:
        """The aligned crop that the box suggests."""
        side, angle = self.side / BOX_SIDE, np.deg2rad(self.turn)
        up = BOX_BELOW * side
        x, y = self.centre
        centre = (float(x + np.sin(angle) * up), float(y - np.cos(angle) * up))
        return square_crop(centre, side, self.turn, size, shape)


@dataclass(frozen=True)
class _Look:
    """A cascade on the picture turned by some degrees, perhaps mirrored."""

    cascade: str
    turn: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class Stage:
    """Looks taken together, at most at ``side`` pixels, whose square is what they cost."""

    looks: tuple[_Look, ...]
    side: int
    turned: bool = False
    only_if_none: bool = False


class Cascades:
    """Proposes frontal and profile faces, stage by stage. Safe to share between threads."""

    def __init__(self) -> None:
        # A cascade keeps scratch memory between calls, so each thread has its own.
        self._local = threading.local()

    def propose(
        self, gray: NDArray[np.uint8], shape: tuple[int, int], stage: Stage, side: int
    ) -> list[Proposal]:
        """What the stage's looks mark, each place once, most votes first.

        Args:
            gray: ``search_image`` of the photo. shape: the photo's height and width.
            side: pixels of the longer side that the cascades see.
        """
        proposals = [p for look in stage.looks for p in self._look(gray, shape, look, side)]
        return _merge(proposals)

    def _look(
        self, gray: NDArray[np.uint8], shape: tuple[int, int], look: _Look, side: int
    ) -> list[Proposal]:
        """A cascade's boxes on the grey picture, turned, in the photo's pixels."""
        turn, mirrored = look.turn, look.mirrored
        scale = min(1.0, side / max(shape))
        height, width = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
        reach = (height, width) if turn == 0 else _turned_shape(height, width, turn)
        # One matrix from the photo to the turned, shrunk picture that the cascade sees.
        crop = square_crop(
            ((shape[1] - 1) / 2, (shape[0] - 1) / 2),
            max(shape),
            turn,
            round(max(shape) * scale),
            shape,
        )
        matrix = crop.matrix.copy()
        matrix[:, 2] += (np.array(reach[::-1]) - crop.size) / 2
        to_gray = gray.shape[1] / shape[1]
        step = matrix.copy()
        step[:, 2] += step[:, :2] @ np.full(2, 0.5 / to_gray - 0.5)
        step[:, :2] /= to_gray
        # Plain corners: a cascade leaves them at once.
        seen = cv2.warpAffine(gray, step, (reach[1], reach[0]), flags=cv2.INTER_LINEAR)
        if mirrored:
            seen = np.ascontiguousarray(seen[:, ::-1])
        boxes = self._cascade(look.cascade).detectMultiScale(
            seen, scaleFactor=SCALE_STEP, minNeighbors=0, minSize=(CASCADE_WINDOW, CASCADE_WINDOW)
        )
        back = cv2.invertAffineTransform(matrix)
        proposals = []
        for x, y, w, h in np.asarray(boxes, dtype=float).reshape(-1, 4):
            cx, cy = x + (w - 1) / 2, y + (h - 1) / 2
            if mirrored:
                cx = reach[1] - 1 - cx
            place = back @ np.array([cx, cy, 1.0])
            proposals.append(Proposal((float(place[0]), float(place[1])), w / scale, turn, 1))
        return proposals

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        loaded = self._local.__dict__.setdefault("cascades", {})
        if name not in loaded:
            path = Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"
            loaded[name] = cv2.CascadeClassifier(str(path))
        return loaded[name]


_FRONTAL, _PROFILE = "frontalface_alt2", "profileface"
_UPRIGHT = (_Look(_FRONTAL),)
STAGES = (
    Stage(_UPRIGHT, 256),
    Stage(_UPRIGHT, SEARCH_SIDE),
    Stage((_Look(_FRONTAL, -30.0), _Look(_FRONTAL, 30.0)), 384, turned=True),
    Stage(
        (
            _Look(_PROFILE),
            _Look(_PROFILE, mirrored=True),
            _Look(_FRONTAL, 180.0),
            _Look(_FRONTAL, 90.0),
            _Look(_FRONTAL, -90.0),
        ),
        320,
        turned=True,
        only_if_none=True,
    ),
)


def search_image(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo in grey, at most ``SEARCH_SIDE`` pixels on its longer side."""
    height, width = pixels.shape[:2]
    scale = min(1.0, SEARCH_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def search_side(stage: Stage, largest: float | None, shape: tuple[int, int]) -> int:
    """Pixels of the search picture's longer side, fewer where a face is known already.

    Args:
        largest: side of the largest known face's crop, the photo's pixels.
    """
    if largest is None:
        return stage.side
    smallest = largest * BOX_SIDE / (TILTED_RANGE if stage.turned else SIZE_RANGE)
    return min(stage.side, round(CASCADE_WINDOW / smallest * max(shape)))


def _turned_shape(height: int, width: int, turn: float) -> tuple[int, int]:
    cos, sin = abs(np.cos(np.deg2rad(turn))), abs(np.sin(np.deg2rad(turn)))
    return (round(width * sin + height * cos), round(width * cos + height * sin))


def _merge(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Boxes of one place and turn as one, those with the most votes first."""
    groups: list[list[Proposal]] = []
    for one in proposals:
        for group in groups:
            other = group[0]
            away = np.hypot(one.centre[0] - other.centre[0], one.centre[1] - other.centre[1])
            near = away < 0.35 * max(one.side, other.side)
            if near and other.turn == one.turn and 0.6 < one.side / other.side < 1.7:
                group.append(one)
                break
        else:
            groups.append([one])
    merged = [
        Proposal(
            (
                float(np.mean([p.centre[0] for p in group])),
                float(np.mean([p.centre[1] for p in group])),
            ),
            float(np.mean([p.side for p in group])),
            group[0].turn,
            len(group),
        )
        for group in groups
    ]
    return _best_turn(sorted(merged, key=lambda p: -p.votes))


def _best_turn(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Of the proposals of one place under several turns, the one with the most votes."""
    kept: list[Proposal] = []
    for one in proposals:
        if all(
            np.hypot(one.centre[0] - k.centre[0], one.centre[1] - k.centre[1])
            > 0.35 * max(one.side, k.side)
            or not 0.5 < one.side / k.side < 2.0
            for k in kept
        ):
            kept.append(one)
    return kept
