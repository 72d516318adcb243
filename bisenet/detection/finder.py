"""Finding faces: a small detector proposes crops, the parsing network verifies each of them.

Where no proposal passes, the detector tries again at other sizes, with a stricter verification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.detection.detector import Proposal, shipped_detector, shrunk
from bisenet.geometry.affine import from_shrunk
from bisenet.geometry.boxes import Box, distance, is_duplicate
from bisenet.geometry.crops import Crop, square_crop
from bisenet.postprocess.landmarks import Landmarks, face_crop, find_landmarks

InferPixels = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# The photo's longer side in the coarse pass, and in the fine pass that follows where faces may be
# too small for it, pixels.
FIRST_SIDE, FINE_SIDE = 384, 768
# The smallest crop that the detector sees reliably, in pixels of what it is shown.
SEEN = 30.0
# Up to this many times as large, a likely crop in which no face is seen may be a face whose roll
# was proposed wrong, so the fine pass follows.
UNSURE = 1.4
# Faces this many times smaller than the largest are still sought.
SIZE_RANGE = 3.0
# Proposals of at least LIKELY are verified; where none of them is a face, the best LAST_RESORT of
# those of at least POSSIBLE.
LIKELY, POSSIBLE, LAST_RESORT = 0.35, 0.08, 6
# A proposal of at least this score that fails verification is verified again wider and closer:
# the network makes some faces out at one size and not at another.
CONFIDENT, RESCALES = 0.6, (1.3, 0.77)
VERIFY_SIZE = 160
# Verification sees less than the framed crop, around nose and mouth: as good a view for half the
# pixels. Shares of the crop's side.
LOOK_SIDE, LOOK_BELOW, LOOK_REACH = 0.72, 0.08, 0.5
VERIFY_BATCH = 16
# Crops with fewer pixels than this to one of the photo are read from a shrunk photo.
WIDE = 0.25
MIN_SCORE = 0.4
# Where no face is found: the detector's sizes in turn, its best proposals, and the score that a
# face needs then, because print and patterns pass with less.
RETRY_SIDES, RETRY_SCORE, RETRY_COUNT, MIN_RETRY_SCORE = (384, 256, 128), 0.3, 3, 0.55
# A face framed farther than this from its proposal is verified again in the new frame.
ROLL_TOLERANCE, SIDE_TOLERANCE, SHIFT_TOLERANCE = 12.0, 1.3, 0.1


@dataclass(frozen=True)
class Detection:
    """A face: its aligned crop at ``VERIFY_SIZE``, its landmarks, and the network's score, 0..1.

    ``drawn`` is its box inside the photo where somebody has drawn it.
    """

    crop: Crop
    marks: Landmarks | None
    score: float
    drawn: Box | None = None


class Finder:
    """Finds faces in photos with the help of an engine. Safe to share between threads.

    Args:
        infer_pixels: an engine's ``infer_pixels``.

    Raises:
        WeightsError: the detector's weights are missing or damaged.
    """

    def __init__(self, infer_pixels: InferPixels):
        self._infer_pixels = infer_pixels
        self._detector = shipped_detector()

    def find(self, pixels: NDArray[np.uint8], limit: int = 60) -> list[Detection]:
        """Faces in a photo ``(H, W, 3)``, largest first.

        Args:
            limit: most proposals that are verified, a pass.
        """
        return self._detected(pixels, limit) or self._retried(pixels)

    def _detected(self, pixels: NDArray[np.uint8], limit: int) -> list[Detection]:
        """Faces of the coarse pass and, where need be, the fine one.

        The people in a photo stand at comparable distances, so once a face is found, others are
        sought down to a share of its size, and a portrait takes a fraction of the time that a
        crowd does.
        """
        shape = (pixels.shape[0], pixels.shape[1])
        found: list[Detection] = []
        refused: list[Crop] = []
        for side in (FIRST_SIDE, FINE_SIDE):
            if side != FIRST_SIDE and not _needs_finer(found, refused, max(shape)):
                break
            seen = self._detector.propose(pixels, side, POSSIBLE)
            likely = [c for c in seen if c.score >= LIKELY]
            for proposals in (likely, seen[len(likely) :][:LAST_RESORT]):
                crops = {_crop_of(c, shape): c.score for c in proposals if not _known(c, found)}
                new = [c for c in crops if not any(_close(c, other) for other in refused)][:limit]
                found = unique([*found, *self.verify(pixels, new)])
                again = [c for c in new if crops[c] >= CONFIDENT and not _known(c, found)]
                found = unique([*found, *self.verify(pixels, _widened(again))])
                refused += [c for c in new if not _known(c, found)]
                if found:
                    break
        return found

    def _retried(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        """Faces that the detector proposes at other sizes, seen wider and closer."""
        shape = (pixels.shape[0], pixels.shape[1])
        for side in RETRY_SIDES:
            proposals = self._detector.propose(pixels, side, RETRY_SCORE, RETRY_COUNT)
            crops = [_crop_of(p, shape) for p in proposals]
            for views in (crops, _widened(crops)):
                found = [f for f in self.verify(pixels, views) if f.score >= MIN_RETRY_SCORE]
                if found:
                    return unique(found)
        return []

    def verify(self, pixels: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Detection]:
        """Those crops that show a face, framed by its eyes and mouth."""
        wide = any(crop.scale < WIDE for crop in crops)
        small = shrunk(pixels, FINE_SIDE) if wide else pixels
        first = self._framed(pixels, crops, small)
        settled = [f for crop, f in zip(crops, first, strict=True) if f and _close(crop, f.crop)]
        again = [f for crop, f in zip(crops, first, strict=True) if f and not _close(crop, f.crop)]
        second = self._framed(pixels, [f.crop for f in again], small)
        return settled + [f for f in second if f is not None]

    def frame_box(self, pixels: NDArray[np.uint8], box: Box) -> Detection:
        """The face in a box drawn by hand; the box as it is where no face is detected in it.

        Args:
            box: x0, y0, x1, y1 in the photo's pixels, about the face from brow to chin.
        """
        x0, y0, x1, y1 = box
        shape = (pixels.shape[0], pixels.shape[1])
        centre = ((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)
        side = max(x1 - x0, y1 - y0, 1.0) / 0.7
        rolls = (0.0, -35.0, 35.0, 180.0, 90.0, -90.0)
        crops = [square_crop(centre, side, roll, VERIFY_SIZE, shape) for roll in rolls]
        inside = [
            f
            for f in self.verify(pixels, crops)
            if distance(f.crop.centre, centre) < 0.4 * side and 0.3 < f.crop.side / side < 2.0
        ]
        if inside:
            return max(inside, key=lambda f: f.score)
        return Detection(crops[0], None, 0.0)

    def _framed(
        self, pixels: NDArray[np.uint8], crops: Sequence[Crop], small: NDArray[np.uint8]
    ) -> list[Detection | None]:
        """The face in each crop, framed anew; ``small`` is the photo, perhaps shrunk."""
        results: list[Detection | None] = []
        shape = (pixels.shape[0], pixels.shape[1])
        for start in range(0, len(crops), VERIFY_BATCH):
            batch = crops[start : start + VERIFY_BATCH]
            closer = [_closer(crop) for crop in batch]
            squares = np.stack([_sample(crop, pixels, small) for crop in _padded(closer)])
            views = self._infer_pixels(squares)[: len(batch)]
            for crop, logits in zip(closer, views, strict=True):
                marks = find_landmarks(logits, crop, LOOK_REACH)
                if marks is None or marks.score < MIN_SCORE:
                    results.append(None)
                else:
                    framed = face_crop(marks, VERIFY_SIZE, shape)
                    results.append(Detection(framed, marks, marks.score))
        return results


def unique(found: Sequence[Detection]) -> list[Detection]:
    """Each face once, its view of the highest score, largest first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda f: -f.score):
        if not is_duplicate(one.crop, [f.crop for f in kept]):
            kept.append(one)
    return sorted(kept, key=lambda f: -f.crop.side)


def _needs_finer(found: Sequence[Detection], refused: Sequence[Crop], longer: int) -> bool:
    """Whether faces may be in the photo that are too small for the coarse pass.

    Args:
        refused: proposals that failed verification: where small, its framing may be wrong.
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


def _crop_of(proposal: Proposal, shape: tuple[int, int]) -> Crop:
    return square_crop(proposal.centre, proposal.side, proposal.roll, VERIFY_SIZE, shape)


def _widened(crops: Sequence[Crop]) -> list[Crop]:
    """Each crop a little wider and a little closer."""
    return [crop.widened(factor) for crop in crops for factor in RESCALES]


def _known(crop: Proposal | Crop, found: Sequence[Detection]) -> bool:
    """Whether a proposed crop lies on a face that was found already."""
    return is_duplicate(crop, [f.crop for f in found])


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
    return square_crop(centre, LOOK_SIDE * crop.side, crop.roll, VERIFY_SIZE, crop.shape)


def _padded(crops: Sequence[Crop]) -> list[Crop]:
    """A power of two of crops, the last repeated: engines prepare anew for every batch size."""
    wanted = 1 << (len(crops) - 1).bit_length()
    return [*crops, *[crops[-1]] * (wanted - len(crops))]


def _close(first: Crop, second: Crop) -> bool:
    """Whether two crops frame a face so alike that verifying again would change little."""
    roll = abs((first.roll - second.roll + 180) % 360 - 180)
    ratio = max(first.side / second.side, second.side / first.side)
    away = distance(first.centre, second.centre)
    return bool(
        roll < ROLL_TOLERANCE and ratio < SIDE_TOLERANCE and away < SHIFT_TOLERANCE * second.side
    )
