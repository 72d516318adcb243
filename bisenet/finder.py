"""Finding faces: OpenCV's cascades propose, the parser's own view of each proposal decides.

The cascades (Viola and Jones, CVPR 2001; Lienhart et al., 2003) come inside OpenCV's package, so
nothing is downloaded. They run without their usual voting, which finds more and errs more: the
network, on a small crop of each proposal, is the judge of what is a face.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.faces import Box, Crop, normalise, square_crop
from bisenet.framing import Landmarks, face_crop, find_landmarks

Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]

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
VERIFY_SIZE = 160
# A proposal is looked at closer than a crop is framed, around nose and mouth: as good a view for
# half the pixels. Shares of the crop's side.
LOOK_SIDE, LOOK_BELOW, LOOK_REACH = 0.72, 0.08, 0.5
VERIFY_BATCH = 16
MIN_SCORE = 0.4
# A first look at a proposal that lies farther off than this is followed by a second.
TURN_TOLERANCE, SIDE_TOLERANCE, SHIFT_TOLERANCE = 12.0, 1.3, 0.1
# Two faces' crops are nearer than this share of the larger side only if they are one face.
DUPLICATE = 0.3


@dataclass(frozen=True)
class Found:
    """A face: its aligned crop at ``VERIFY_SIZE``, its parts, and how sure the network is."""

    crop: Crop
    marks: Landmarks | None
    score: float


@dataclass(frozen=True)
class _Proposal:
    centre: tuple[float, float]
    side: float
    turn: float
    votes: int


@dataclass(frozen=True)
class _Look:
    """A cascade on the picture turned by some degrees, perhaps mirrored."""

    cascade: str
    turn: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class _Stage:
    """Looks taken together, at most at ``side`` pixels, whose square is what they cost."""

    looks: tuple[_Look, ...]
    side: int
    turned: bool = False
    only_if_none: bool = False


class Finder:
    """Finds faces in photos with the help of an engine. Safe to share between threads.

    Args:
        infer: an engine's ``infer``.
    """

    def __init__(self, infer: Infer):
        self._infer = infer
        # A cascade keeps scratch memory between calls, so each thread has its own.
        self._local = threading.local()

    def find(self, pixels: NDArray[np.uint8], limit: int = 60) -> list[Found]:
        """Faces in a photo ``(H, W, 3)``, largest first.

        A coarse look comes first: the people in a photo stand at comparable distances, so once a
        face is found, others are sought down to a share of its size, and a portrait takes a
        fraction of the time that a crowd does. Profiles, and faces on their side or upside down,
        are sought only where there is no other.

        Args:
            limit: most proposals that are looked at, a stage.
        """
        shape = (pixels.shape[0], pixels.shape[1])
        gray = _search_image(pixels)
        found: list[Found] = []
        seen: tuple[int, ...] = ()
        for stage in _STAGES:
            if stage.only_if_none and found:
                break
            side = _search_side(stage, found, shape)
            if side <= max(seen, default=0) and not stage.turned:
                continue  # the coarse look has seen as much
            seen = (*seen, side)
            proposals = [p for look in stage.looks for p in self._propose(gray, shape, look, side)]
            new = [p for p in _merge(proposals) if not _known(p, found)][:limit]
            found = unique([*found, *self.verify(pixels, [_crop_of(p, shape) for p in new])])
        return found

    def verify(self, pixels: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Found]:
        """Those crops that show a face, framed by its eyes and mouth."""
        first = self._look(pixels, crops)
        settled = [f for crop, f in zip(crops, first, strict=True) if f and _close(crop, f.crop)]
        again = [f for crop, f in zip(crops, first, strict=True) if f and not _close(crop, f.crop)]
        second = self._look(pixels, [f.crop for f in again])
        return settled + [f for f in second if f is not None]

    def frame_box(self, pixels: NDArray[np.uint8], box: Box) -> Found:
        """The face in a box drawn by hand; the box as it is where no face can be told in it.

        Args:
            box: x0, y0, x1, y1 in the photo's pixels, about the face from brow to chin.
        """
        x0, y0, x1, y1 = box
        shape = (pixels.shape[0], pixels.shape[1])
        centre = ((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)
        side = max(x1 - x0, y1 - y0, 1.0) / 0.7
        turns = (0.0, -35.0, 35.0, 180.0, 90.0, -90.0)
        crops = [square_crop(centre, side, turn, VERIFY_SIZE, shape) for turn in turns]
        inside = [
            f
            for f in self.verify(pixels, crops)
            if np.hypot(f.crop.centre[0] - centre[0], f.crop.centre[1] - centre[1]) < 0.4 * side
            and 0.3 < f.crop.side / side < 2.0
        ]
        if inside:
            return max(inside, key=lambda f: f.score)
        return Found(crops[0], None, 0.0)

    def _look(self, pixels: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Found | None]:
        results: list[Found | None] = []
        shape = (pixels.shape[0], pixels.shape[1])
        for start in range(0, len(crops), VERIFY_BATCH):
            batch = crops[start : start + VERIFY_BATCH]
            looks = [_closer(crop) for crop in batch]
            squares = np.stack([crop.sample(pixels) for crop in _padded(looks)])
            views = self._infer(normalise(squares))[: len(batch)]
            for crop, logits in zip(looks, views, strict=True):
                marks = find_landmarks(logits, crop, LOOK_REACH)
                if marks is None or marks.score < MIN_SCORE:
                    results.append(None)
                else:
                    framed = face_crop(marks, VERIFY_SIZE, shape)
                    results.append(Found(framed, marks, marks.score))
        return results

    def _propose(
        self, gray: NDArray[np.uint8], shape: tuple[int, int], look: _Look, side: int
    ) -> list[_Proposal]:
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
            proposals.append(_Proposal((float(place[0]), float(place[1])), w / scale, turn, 1))
        return proposals

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        loaded = self._local.__dict__.setdefault("cascades", {})
        if name not in loaded:
            path = Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"
            loaded[name] = cv2.CascadeClassifier(str(path))
        return loaded[name]


_FRONTAL, _PROFILE = "frontalface_alt2", "profileface"
_UPRIGHT = (_Look(_FRONTAL),)
_STAGES = (
    _Stage(_UPRIGHT, 256),
    _Stage(_UPRIGHT, SEARCH_SIDE),
    _Stage((_Look(_FRONTAL, -30.0), _Look(_FRONTAL, 30.0)), 384, turned=True),
    _Stage(
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


def unique(found: Sequence[Found]) -> list[Found]:
    """Each face once, the surest view of it, largest first."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: -f.score):
        x, y = one.crop.centre
        if all(
            np.hypot(x - other.crop.centre[0], y - other.crop.centre[1])
            > DUPLICATE * max(one.crop.side, other.crop.side)
            for other in kept
        ):
            kept.append(one)
    return sorted(kept, key=lambda f: -f.crop.side)


def _search_image(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo in grey, at most ``SEARCH_SIDE`` pixels on its longer side."""
    height, width = pixels.shape[:2]
    scale = min(1.0, SEARCH_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _search_side(stage: _Stage, found: Sequence[Found], shape: tuple[int, int]) -> int:
    """Pixels of the search picture's longer side, fewer where a face is known already."""
    if not found:
        return stage.side
    smallest = found[0].crop.side * BOX_SIDE / (TILTED_RANGE if stage.turned else SIZE_RANGE)
    return min(stage.side, round(CASCADE_WINDOW / smallest * max(shape)))


def _turned_shape(height: int, width: int, turn: float) -> tuple[int, int]:
    cos, sin = abs(np.cos(np.deg2rad(turn))), abs(np.sin(np.deg2rad(turn)))
    return (round(width * sin + height * cos), round(width * cos + height * sin))


def _crop_of(proposal: _Proposal, shape: tuple[int, int]) -> Crop:
    """The aligned crop that a cascade's box suggests."""
    side, angle = proposal.side / BOX_SIDE, np.deg2rad(proposal.turn)
    up = BOX_BELOW * side
    x, y = proposal.centre
    centre = (float(x + np.sin(angle) * up), float(y - np.cos(angle) * up))
    return square_crop(centre, side, proposal.turn, VERIFY_SIZE, shape)


def _known(proposal: _Proposal, found: Sequence[Found]) -> bool:
    """Whether a proposal lies on a face that was found already."""
    side = proposal.side / BOX_SIDE
    return any(
        np.hypot(proposal.centre[0] - f.crop.centre[0], proposal.centre[1] - f.crop.centre[1])
        < DUPLICATE * max(side, f.crop.side)
        for f in found
    )


def _closer(crop: Crop) -> Crop:
    """The middle of the face in an aligned crop."""
    middle = (crop.size - 1) / 2
    below = crop.to_photo(np.array([[middle, middle + LOOK_BELOW * crop.size]]))[0]
    centre = (float(below[0]), float(below[1]))
    return square_crop(centre, LOOK_SIDE * crop.side, crop.turn, VERIFY_SIZE, crop.shape)


def _merge(proposals: Sequence[_Proposal]) -> list[_Proposal]:
    """Boxes of one place and turn as one, those with the most votes first."""
    groups: list[list[_Proposal]] = []
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
        _Proposal(
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


def _best_turn(proposals: Sequence[_Proposal]) -> list[_Proposal]:
    """Of the proposals of one place under several turns, the one with the most votes."""
    kept: list[_Proposal] = []
    for one in proposals:
        if all(
            np.hypot(one.centre[0] - k.centre[0], one.centre[1] - k.centre[1])
            > 0.35 * max(one.side, k.side)
            or not 0.5 < one.side / k.side < 2.0
            for k in kept
        ):
            kept.append(one)
    return kept


def _padded(crops: Sequence[Crop]) -> list[Crop]:
    """A power of two of crops, the last repeated: engines prepare anew for every batch size."""
    wanted = 1 << (len(crops) - 1).bit_length()
    return [*crops, *[crops[-1]] * (wanted - len(crops))]


def _close(first: Crop, second: Crop) -> bool:
    """Whether two crops frame a face so alike that a second look would change little."""
    turn = abs((first.turn - second.turn + 180) % 360 - 180)
    ratio = max(first.side / second.side, second.side / first.side)
    away = np.hypot(first.centre[0] - second.centre[0], first.centre[1] - second.centre[1])
    return bool(
        turn < TURN_TOLERANCE and ratio < SIDE_TOLERANCE and away < SHIFT_TOLERANCE * second.side
    )
