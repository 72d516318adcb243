"""Finding faces: a small detector proposes, the parser's own view of each proposal decides.

Where the detector proposes nothing that the parser takes for a face, OpenCV's cascades try: they
know profiles, and err in other ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.detection import cascades
from bisenet.detection.cascades import Cascades
from bisenet.detection.detector import Candidate, shipped_detector, shrunk
from bisenet.geometry.affine import from_shrunk
from bisenet.geometry.crops import Box, Crop, square_crop
from bisenet.postprocess.landmarks import Landmarks, face_crop, find_landmarks

InferPixels = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# The detector sees the photo at this many pixels on its longer side, and where faces may be too
# small for that, at this many more.
FIRST_SIDE, FINE_SIDE = 384, 768
# The smallest crop that the detector sees reliably, in pixels of what it is shown.
SEEN = 30.0
# Up to this many times as large, a likely crop in which no face is seen may be a face whose turn
# was told wrong, so a closer glance follows.
UNSURE = 1.4
# Faces this many times smaller than the largest are still sought.
SIZE_RANGE = 3.0
# What the detector thinks likely is looked at; of the rest, the first few where that was nothing.
LIKELY, POSSIBLE, LAST_RESORT = 0.35, 0.08, 6
# Where the detector is surer than this and the parser sees no face, it looks at a little more and
# at a little less: some faces it makes out at one size and not at another.
SURE, SECOND_LOOKS = 0.6, (1.3, 0.77)
VERIFY_SIZE = 160
# A proposal is looked at closer than a crop is framed, around nose and mouth: as good a view for
# half the pixels. Shares of the crop's side.
LOOK_SIDE, LOOK_BELOW, LOOK_REACH = 0.72, 0.08, 0.5
VERIFY_BATCH = 16
# Crops with fewer pixels than this to one of the photo are read from a shrunk photo.
WIDE = 0.25
MIN_SCORE = 0.4
# Where the detector saw nothing, a cascade's proposal has to be plainer: print is no face.
MIN_CASCADED_SCORE = 0.55
# A first look at a proposal that lies farther off than this is followed by a second.
TURN_TOLERANCE, SIDE_TOLERANCE, SHIFT_TOLERANCE = 12.0, 1.3, 0.1
# Two faces' crops are nearer than this share of the larger side only if they are one face.
DUPLICATE = 0.3


@dataclass(frozen=True)
class Detection:
    """A face: its aligned crop at ``VERIFY_SIZE``, its parts, and how sure the network is."""

    crop: Crop
    marks: Landmarks | None
    score: float


class Finder:
    """Finds faces in photos with the help of an engine. Safe to share between threads.

    Args:
        infer_pixels: an engine's ``infer_pixels``.
        use_detector: False leaves everything to the cascades.

    Raises:
        WeightsError: the detector's weights are damaged.
    """

    def __init__(self, infer_pixels: InferPixels, use_detector: bool = True):
        self._infer_pixels = infer_pixels
        self._detector = shipped_detector() if use_detector else None
        self._cascades = Cascades()

    def find(self, pixels: NDArray[np.uint8], limit: int = 60) -> list[Detection]:
        """Faces in a photo ``(H, W, 3)``, largest first.

        Args:
            limit: most proposals that are looked at, a pass.
        """
        return self._detected(pixels, limit) or self._cascaded(pixels, limit)

    def _detected(self, pixels: NDArray[np.uint8], limit: int) -> list[Detection]:
        """Faces that the detector proposes, at a first glance and, where need be, a closer one.

        The people in a photo stand at comparable distances, so once a face is found, others are
        sought down to a share of its size, and a portrait takes a fraction of the time that a
        crowd does.
        """
        if self._detector is None:
            return []
        shape = (pixels.shape[0], pixels.shape[1])
        found: list[Detection] = []
        refused: list[Crop] = []
        for side in (FIRST_SIDE, FINE_SIDE):
            if side != FIRST_SIDE and not _needs_finer(found, refused, max(shape)):
                break
            seen = self._detector.candidates(pixels, side, POSSIBLE)
            likely = [c for c in seen if c.score >= LIKELY]
            for candidates in (likely, seen[len(likely) :][:LAST_RESORT]):
                crops = {_crop_of(c, shape): c.score for c in candidates if not _known(c, found)}
                new = [c for c in crops if not any(_close(c, other) for other in refused)][:limit]
                found = unique([*found, *self.verify(pixels, new)])
                again = [c for c in new if crops[c] >= SURE and not _known(c, found)]
                wider = [crop.widened(factor) for crop in again for factor in SECOND_LOOKS]
                found = unique([*found, *self.verify(pixels, wider)])
                refused += [c for c in new if not _known(c, found)]
                if found:
                    break
        return found

    def _cascaded(self, pixels: NDArray[np.uint8], limit: int) -> list[Detection]:
        """Faces that the cascades propose, coarse first; odd poses only where there is no other."""
        shape = (pixels.shape[0], pixels.shape[1])
        gray = cascades.search_image(pixels)
        found: list[Detection] = []
        seen = 0
        for stage in cascades.STAGES:
            if stage.only_if_none and found:
                break
            side = cascades.search_side(stage, found[0].crop.side if found else None, shape)
            if side <= seen and not stage.turned:
                continue  # the coarse look has seen as much
            seen = max(seen, side)
            crops = [
                p.crop(VERIFY_SIZE, shape) for p in self._cascades.propose(gray, shape, stage, side)
            ]
            new = [crop for crop in crops if not _known(crop, found)]
            found = unique([*found, *self.verify(pixels, new[:limit])])
        return [f for f in found if f.score >= MIN_CASCADED_SCORE]

    def verify(self, pixels: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Detection]:
        """Those crops that show a face, framed by its eyes and mouth."""
        wide = any(crop.scale < WIDE for crop in crops)
        small = shrunk(pixels, FINE_SIDE) if wide else pixels
        first = self._look(pixels, crops, small)
        settled = [f for crop, f in zip(crops, first, strict=True) if f and _close(crop, f.crop)]
        again = [f for crop, f in zip(crops, first, strict=True) if f and not _close(crop, f.crop)]
        second = self._look(pixels, [f.crop for f in again], small)
        return settled + [f for f in second if f is not None]

    def frame_box(self, pixels: NDArray[np.uint8], box: Box) -> Detection:
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
        return Detection(crops[0], None, 0.0)

    def _look(
        self, pixels: NDArray[np.uint8], crops: Sequence[Crop], small: NDArray[np.uint8]
    ) -> list[Detection | None]:
        """What the network makes of each crop; ``small`` is the photo, perhaps shrunk."""
        results: list[Detection | None] = []
        shape = (pixels.shape[0], pixels.shape[1])
        for start in range(0, len(crops), VERIFY_BATCH):
            batch = crops[start : start + VERIFY_BATCH]
            looks = [_closer(crop) for crop in batch]
            squares = np.stack([_sample(crop, pixels, small) for crop in _padded(looks)])
            views = self._infer_pixels(squares)[: len(batch)]
            for crop, logits in zip(looks, views, strict=True):
                marks = find_landmarks(logits, crop, LOOK_REACH)
                if marks is None or marks.score < MIN_SCORE:
                    results.append(None)
                else:
                    framed = face_crop(marks, VERIFY_SIZE, shape)
                    results.append(Detection(framed, marks, marks.score))
        return results


def unique(found: Sequence[Detection]) -> list[Detection]:
    """Each face once, the surest view of it, largest first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda f: -f.score):
        x, y = one.crop.centre
        if all(
            np.hypot(x - other.crop.centre[0], y - other.crop.centre[1])
            > DUPLICATE * max(one.crop.side, other.crop.side)
            for other in kept
        ):
            kept.append(one)
    return sorted(kept, key=lambda f: -f.crop.side)


def _needs_finer(found: Sequence[Detection], refused: Sequence[Crop], longer: int) -> bool:
    """Whether faces may be in the photo that are too small for the detector's first glance.

    Args:
        refused: what was proposed and, looked at, no face: where small, its framing may be wrong.
        longer: the photo's longer side, pixels.
    """
    if longer <= FIRST_SIDE:
        return False
    least = SEEN * longer / FIRST_SIDE
    return (
        not found
        or found[0].crop.side / SIZE_RANGE < least
        or any(crop.side < UNSURE * least for crop in refused)
    )


def _crop_of(candidate: Candidate, shape: tuple[int, int]) -> Crop:
    return square_crop(candidate.centre, candidate.side, candidate.turn, VERIFY_SIZE, shape)


def _known(crop: Candidate | Crop, found: Sequence[Detection]) -> bool:
    """Whether a proposed crop lies on a face that was found already."""
    x, y = crop.centre
    return any(
        np.hypot(x - f.crop.centre[0], y - f.crop.centre[1])
        < DUPLICATE * max(crop.side, f.crop.side)
        for f in found
    )


def _sample(crop: Crop, pixels: NDArray[np.uint8], small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a crop shows, from the shrunk photo where that is fine enough: it is read sooner."""
    fx, fy = pixels.shape[1] / small.shape[1], pixels.shape[0] / small.shape[0]
    if crop.scale > WIDE or crop.scale * max(fx, fy) > 1:
        return crop.sample(pixels)
    matrix = from_shrunk(crop.matrix, (fx, fy))
    return Crop(matrix, crop.size, (small.shape[0], small.shape[1])).sample(small)


def _closer(crop: Crop) -> Crop:
    """The middle of the face in an aligned crop."""
    middle = (crop.size - 1) / 2
    below = crop.to_photo(np.array([[middle, middle + LOOK_BELOW * crop.size]]))[0]
    centre = (float(below[0]), float(below[1]))
    return square_crop(centre, LOOK_SIDE * crop.side, crop.turn, VERIFY_SIZE, crop.shape)


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
