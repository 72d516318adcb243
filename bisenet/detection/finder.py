"""Finding faces: a small detector proposes crops, the parsing network verifies each of them.

Long and large photos are searched in tiles as well, and where no proposal passes, the detector
tries again at other sizes, both with a stricter verification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bisenet.detection.detector import Proposal, shipped_detector, shrunk
from bisenet.detection.tiles import (
    SEEN,
    SMALLEST_CROP,
    Progress,
    counted,
    finer_levels,
    is_long,
    propose,
)
from bisenet.geometry.affine import from_shrunk
from bisenet.geometry.boxes import Box, distance, is_duplicate
from bisenet.geometry.crops import Crop, square_crop
from bisenet.postprocess.landmarks import Landmarks, face_crop, find_landmarks

InferPixels = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# The photo's longer side in the coarse pass, and in the fine pass that follows where faces may be
# too small for it, pixels.
FIRST_SIDE, FINE_SIDE = 384, 768
# Up to this many times as large, a likely crop in which no face is seen may be a face whose roll
# was proposed wrong, so the fine pass follows.
UNSURE = 1.4
# Faces this many times smaller than the largest are still sought.
SIZE_RANGE = 3.0
# Proposals of at least LIKELY are verified; where none of them is a face, the best LAST_RESORT of
# those of at least POSSIBLE.
LIKELY, POSSIBLE, LAST_RESORT = 0.35, 0.08, 6
# In tiles faces are small, and the detector less sure of them.
LIKELY_IN_TILES = 0.2
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
# face needs then and in tiles, because print and patterns pass with less.
RETRY_SIDES, RETRY_SCORE, RETRY_COUNT, MIN_RETRY_SCORE = (384, 256, 128), 0.3, 3, 0.55
# A partly hidden face has to lie within these of its proposal.
HIDDEN_RATIO, HIDDEN_SHIFT = 1.5, 0.25
# While there is no face, so many crops are verified in the coarse pass, in the fine one, for each
# megapixel that the detector is shown in tiles, and in the retry, besides what is left from before:
# with the detector's passes they cost as much as two parses at most. BLIND at a time, so that one
# face among them lifts the limit early.
FIRST_LOOKS, FINE_LOOKS, TILE_LOOKS, RETRY_LOOKS, BLIND = 8, 6, 4, 5, 8
LEAST_TILE_LOOKS = 3
# A face framed farther than this from its proposal is verified again in the new frame.
ROLL_TOLERANCE, SIDE_TOLERANCE, SHIFT_TOLERANCE = 12.0, 1.3, 0.1


@dataclass(frozen=True)
class Detection:
    """A face that was found.

    Attributes:
        crop: its aligned crop at ``VERIFY_SIZE``.
        marks: its landmarks; None for a box by hand in which none are seen.
        score: the network's, 0..1.
        proposed: the detector's, 0..1.
        drawn: its box inside the photo where somebody has drawn it.
    """

    crop: Crop
    marks: Landmarks | None
    score: float
    proposed: float = 0.0
    drawn: Box | None = None


@dataclass
class Search:
    """What a search for faces knows so far.

    Attributes:
        pixels: the photo ``(H, W, 3)``.
        limit: most proposals that are verified, a pass.
        found: the faces, largest first.
        refused: proposals that failed verification; they are not looked at twice.
        looks: how many crops may be verified in the present pass while there is no face.
    """

    pixels: NDArray[np.uint8]
    limit: int
    found: list[Detection] = field(default_factory=list)
    refused: list[Crop] = field(default_factory=list)
    looks: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """The photo's height and width."""
        return (self.pixels.shape[0], self.pixels.shape[1])

    def may_look(self, more: int) -> None:
        """A pass begins, with so many looks besides those that are left."""
        self.looks += more


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

    def find(
        self, pixels: NDArray[np.uint8], limit: int = 60, progress: Progress | None = None
    ) -> list[Detection]:
        """Faces in a photo ``(H, W, 3)``, largest first.

        Args:
            limit: most proposals that are verified, a pass.
            progress: called with the number of tiles searched and their total, where the photo
                is searched in tiles.

        Raises:
            Cancelled: whoever started the search stopped it; asked before each tile and batch.
        """
        search = Search(pixels, limit)
        self._detected(search)
        self._detected_in_tiles(search, progress)
        if not search.found:
            self._retried(search)
        return search.found

    def _detected(self, search: Search) -> None:
        """Faces of the coarse pass and, where need be, the fine one.

        The people in a photo stand at comparable distances, so once a face is found, others are
        sought down to a share of its size, and a portrait takes a fraction of the time that a
        crowd does.
        """
        for side, looks in ((FIRST_SIDE, FIRST_LOOKS), (FINE_SIDE, FINE_LOOKS)):
            if side != FIRST_SIDE and not _needs_finer(search):
                break
            search.may_look(looks)
            seen = self._detector.propose(search.pixels, side, POSSIBLE)
            likely = [c for c in seen if c.score >= LIKELY]
            for proposals in (likely, seen[len(likely) :][:LAST_RESORT]):
                self._look_at(search, proposals, MIN_SCORE)
                if search.found:
                    break

    def _detected_in_tiles(self, search: Search, progress: Progress | None) -> None:
        """Faces that are too small for a pass over the whole photo."""
        shape = search.shape
        wanted = SMALLEST_CROP
        if search.found and not is_long(shape):
            wanted = max(wanted, search.found[0].crop.side / SIZE_RANGE)
        levels = finer_levels(shape, SEEN * max(1.0, max(shape) / FINE_SIDE), wanted)
        done = counted(levels, progress)
        for level in levels:
            megapixels = shape[0] * shape[1] * level.scale**2 / 1e6
            search.may_look(max(LEAST_TILE_LOOKS, round(TILE_LOOKS * megapixels)))
            proposals = propose(self._detector, search.pixels, level, LIKELY_IN_TILES, done)
            self._look_at(search, proposals, MIN_RETRY_SCORE)

    def _look_at(self, search: Search, proposals: Sequence[Proposal], least: float) -> None:
        """Verify proposals, likeliest first, and then wider and closer where a face was likely.

        Args:
            least: score that a face needs.
        """
        crops = {_crop_of(c, search.shape): c.score for c in proposals}
        new = _unlike(crops, search.refused)[: search.limit]
        looked = self._verified(search, {c: crops[c] for c in new}, least)
        again = [c for c in looked if crops[c] >= CONFIDENT and not _known(c, search.found)]
        wider = {view: crops[c] for c in again for view in _widened([c])}
        self._verified(search, wider, least)
        search.refused += [c for c in looked if not _known(c, search.found)]

    def _verified(self, search: Search, crops: Mapping[Crop, float], least: float) -> list[Crop]:
        """Those crops that were looked at: all that are new, once a face is found.

        Args:
            crops: each with the detector's score of its proposal.
            least: score that a face needs.
        """
        looked: list[Crop] = []
        while new := [c for c in crops if c not in looked and not _known(c, search.found)]:
            part = new if search.found else new[: min(search.looks, BLIND)]
            if not part:
                break
            faces = self.verify(search.pixels, part, [crops[c] for c in part])
            search.found = unique([*search.found, *(f for f in faces if f.score >= least)])
            search.looks -= len(part)
            looked += part
        return looked

    def _retried(self, search: Search) -> None:
        """Faces that the detector proposes at other sizes, as they are, then wider and closer."""
        search.may_look(RETRY_LOOKS)
        views: list[Crop] = []
        for side in RETRY_SIDES:
            proposals = self._detector.propose(search.pixels, side, RETRY_SCORE, RETRY_COUNT)
            views += _unlike((_crop_of(p, search.shape) for p in proposals), views)
        for crops in (_unlike(views, search.refused), _widened(views)):
            self._verified(search, dict.fromkeys(crops, 0.0), MIN_RETRY_SCORE)
            if search.found:
                break

    def verify(
        self, pixels: NDArray[np.uint8], crops: Sequence[Crop], proposed: Sequence[float] = ()
    ) -> list[Detection]:
        """Those crops that show a face, framed by its eyes and mouth.

        Args:
            proposed: the detector's score of each crop; 0 where there are none.
        """
        wide = any(crop.scale < WIDE for crop in crops)
        small = shrunk(pixels, FINE_SIDE) if wide else pixels
        scores = proposed or [0.0] * len(crops)
        first = self._framed(pixels, crops, scores, small)
        settled = [f for crop, f in zip(crops, first, strict=True) if f and _close(crop, f.crop)]
        again = [f for crop, f in zip(crops, first, strict=True) if f and not _close(crop, f.crop)]
        second = self._framed(pixels, [f.crop for f in again], [f.proposed for f in again], small)
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
            for f in self.verify(pixels, crops, [1.0] * len(crops))
            if distance(f.crop.centre, centre) < 0.4 * side and 0.3 < f.crop.side / side < 2.0
        ]
        if inside:
            return max(inside, key=lambda f: f.score)
        return Detection(crops[0], None, 0.0)

    def _framed(
        self,
        pixels: NDArray[np.uint8],
        crops: Sequence[Crop],
        proposed: Sequence[float],
        small: NDArray[np.uint8],
    ) -> list[Detection | None]:
        """The face in each crop, framed anew; ``small`` is the photo, perhaps shrunk."""
        results: list[Detection | None] = []
        scores = iter(proposed)
        for batch in _batches(crops):
            closer = [_closer(crop) for crop in batch]
            views = self._infer_pixels(np.stack([_sample(c, pixels, small) for c in closer]))
            for crop, view, logits in zip(batch, closer, views, strict=True):
                marks, score = find_landmarks(logits, view, LOOK_REACH), next(scores)
                if marks is not None and holds(marks, score):
                    results.append(_framing(crop, marks, score))
                else:
                    results.append(None)
        return results


def holds(marks: Landmarks | None, proposed: float) -> bool:
    """Whether landmarks are a face's, given the detector's score of its proposal.

    Where eyes, nose or mouth are hidden, only a face that the detector is sure of is believed.
    """
    return (
        marks is not None and marks.score >= MIN_SCORE and (marks.complete or proposed >= CONFIDENT)
    )


def _framing(crop: Crop, marks: Landmarks, proposed: float) -> Detection | None:
    """A face framed by its landmarks.

    Of a face that is partly hidden the proposal's roll is kept, and None is returned where its
    landmarks lie in another place or at another size than the proposal.
    """
    framed = face_crop(marks, VERIFY_SIZE, crop.shape)
    if not marks.complete:
        framed = square_crop(framed.centre, framed.side, crop.roll, VERIFY_SIZE, crop.shape)
        ratio = max(framed.side / crop.side, crop.side / framed.side)
        if ratio > HIDDEN_RATIO or distance(framed.centre, crop.centre) > HIDDEN_SHIFT * crop.side:
            return None
    return Detection(framed, marks, marks.score, proposed)


def unique(found: Sequence[Detection]) -> list[Detection]:
    """Each face once, its view of the highest score, largest first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda f: -f.score):
        if not is_duplicate(one.crop, [f.crop for f in kept]):
            kept.append(one)
    return sorted(kept, key=lambda f: -f.crop.side)


def _needs_finer(search: Search) -> bool:
    """Whether faces may be in the photo that are too small for the coarse pass.

    A proposal that failed verification may be one, where small: its framing may be wrong.
    """
    longer = max(search.shape)
    if longer <= FIRST_SIDE:
        return False
    least = SEEN * longer / FIRST_SIDE
    return (
        not search.found
        or search.found[0].crop.side / SIZE_RANGE < least
        or any(crop.side < UNSURE * least for crop in search.refused)
    )


def _crop_of(proposal: Proposal, shape: tuple[int, int]) -> Crop:
    return square_crop(proposal.centre, proposal.side, proposal.roll, VERIFY_SIZE, shape)


def _widened(crops: Sequence[Crop]) -> list[Crop]:
    """Each crop a little wider and a little closer."""
    return [crop.widened(factor) for crop in crops for factor in RESCALES]


def _unlike(crops: Iterable[Crop], others: Sequence[Crop]) -> list[Crop]:
    """Those crops that are framed unlike any of the others."""
    return [crop for crop in crops if not any(_close(crop, other) for other in others)]


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


def _batches(crops: Sequence[Crop]) -> Iterator[Sequence[Crop]]:
    """Powers of two of crops, the largest first: engines prepare anew for every batch size."""
    start = 0
    while start < len(crops):
        count = min(VERIFY_BATCH, 1 << (len(crops) - start).bit_length() - 1)
        yield crops[start : start + count]
        start += count


def _close(first: Crop, second: Crop) -> bool:
    """Whether two crops frame a face so alike that verifying again would change little."""
    roll = abs((first.roll - second.roll + 180) % 360 - 180)
    ratio = max(first.side / second.side, second.side / first.side)
    away = distance(first.centre, second.centre)
    return bool(
        roll < ROLL_TOLERANCE and ratio < SIDE_TOLERANCE and away < SHIFT_TOLERANCE * second.side
    )
