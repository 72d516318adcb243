"""One photo scored: counts that add up, and nothing of its pixels but a thumbnail."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import FACE_CLASSES, NUM_CLASSES
from bisenet.evaluation.calibration import BINS, calibration_counts
from bisenet.evaluation.fitting import at_size
from bisenet.evaluation.label_mapping import IGNORE
from bisenet.evaluation.metrics import (
    Scores,
    boundary_counts,
    confusion_matrix,
    iou_and_f1,
    mean_of,
)
from bisenet.evaluation.pairing import Pair
from bisenet.postprocess.results import Parsing

THUMBNAIL_PX = 96


@dataclass(frozen=True, eq=False)
class PhotoScore:
    """How one contestant did on one photo.

    Attributes:
        confusion: ``(19, 19)`` int64, pixels by true and predicted class.
        edges: ``(19, 4)`` int64, as ``metrics.boundary_counts``.
        calibration: ``(B, 3)``, as ``calibration.calibration_counts``, over the pixels that the
            network judged: those beyond all faces' crops have no probability of their own.
        miou: over the classes in this photo's truth or prediction, 0..1.
    """

    confusion: NDArray[np.int64] = field(repr=False)
    edges: NDArray[np.int64] = field(repr=False)
    calibration: NDArray[np.float64] = field(repr=False)
    miou: float


@dataclass(frozen=True, eq=False)
class ScoredPhoto:
    """A photo with its scores, one a contestant.

    Attributes:
        pair: the names of photo and mask.
        width: of the photo, pixels.
        height: of the photo, pixels.
        face_height: of the largest face in the truth, from its top to its chin, pixels; 0 where
            there is none.
        faces: how many faces were found by each contestant.
        thumbnail: JPEG.
        scores: in the order of the contestants.
    """

    pair: Pair
    width: int
    height: int
    face_height: int
    faces: tuple[int, ...]
    thumbnail: bytes = field(repr=False)
    scores: tuple[PhotoScore, ...]


def score(truth: NDArray[np.uint8], parsing: Parsing) -> PhotoScore:
    """Score a parsing against the truth ``(H, W)``; pixels of ``IGNORE`` do not count.

    A photo of the truth's proportions and another size is scored at the truth's size.

    Raises:
        ValueError: the sizes differ otherwise.
    """
    found, confidence, judged = at_size(parsing, truth.shape)
    confusion = confusion_matrix(truth, found)
    judged = judged & (truth != IGNORE)
    return PhotoScore(
        confusion=confusion,
        edges=boundary_counts(truth, found),
        calibration=calibration_counts(confidence[judged], (truth == found)[judged]),
        miou=mean_of(iou_and_f1(confusion)[0]),
    )


def pooled(scores: Iterable[PhotoScore]) -> tuple[Scores, NDArray[np.float64]]:
    """Scores over a set, and its calibration counts ``(B, 3)``."""
    total = Scores()
    calibration = np.zeros((BINS, 3))
    for one in scores:
        total.add_counts(one.confusion, one.edges)
        calibration += one.calibration
    return total, calibration


def face_height(truth: NDArray[np.uint8]) -> int:
    """Height of the largest face in a mask ``(H, W)``, pixels; hair, ears and neck are no part."""
    lut = np.zeros(256, np.uint8)
    lut[list(FACE_CLASSES)] = 1
    count, _, stats, _ = cv2.connectedComponentsWithStats(lut[truth])
    if count < 2:
        return 0
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return int(stats[largest, cv2.CC_STAT_HEIGHT])


def thumbnail(image: Image.Image) -> bytes:
    """A small JPEG; the image itself shrinks."""
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=80)
    return out.getvalue()


def without_ignored(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A truth mask that can be drawn: pixels that do not count become background."""
    return np.where(mask < NUM_CLASSES, mask, 0).astype(np.uint8)
