"""One photo scored: counts that add up, and nothing of its pixels but a thumbnail."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import NUM_CLASSES
from bisenet.data.faces import class_pixels, largest_face
from bisenet.data.pairing import Pair
from bisenet.evaluation.calibration import BINS, calibration_counts
from bisenet.evaluation.fitting import at_size
from bisenet.evaluation.metrics import (
    Scores,
    boundary_counts,
    confusion_matrix,
    iou_and_f1,
    mean_of,
    partly_wrong,
)
from bisenet.postprocess.results import Parsing

THUMBNAIL_PX = 96


@dataclass(frozen=True, eq=False)
class PhotoScore:
    """How one network did on one photo.

    Attributes:
        confusion: ``(19, 19)`` int64, pixels by true and predicted class.
        wrong: ``(19,)`` int64, as ``metrics.partly_wrong``; None where the truth is known wholly.
        edges: ``(19, 4)`` int64, as ``metrics.boundary_counts``; None where it is known in part.
        inside: ``(19,)`` int64, pixels of each true class inside the faces' crops.
        calibration: ``(B, 3)``, as ``calibration.calibration_counts``, over the pixels that the
            network judged: those beyond all faces' crops have no probability of their own.
        miou: over the classes in this photo's truth or prediction, 0..1.
    """

    confusion: NDArray[np.int64] = field(repr=False)
    wrong: NDArray[np.int64] | None = field(repr=False)
    edges: NDArray[np.int64] | None = field(repr=False)
    inside: NDArray[np.int64] = field(repr=False)
    calibration: NDArray[np.float64] = field(repr=False)
    miou: float


@dataclass(frozen=True, eq=False)
class ScoredPhoto:
    """A photo with its scores, one a network.

    Attributes:
        pair: the names of photo and mask.
        width: of the photo, pixels.
        height: of the photo, pixels.
        face_height: of the largest face in the truth, from its top to its chin, pixels; 0 where
            there is none.
        faces: how many faces were found by each network.
        thumbnail: JPEG.
        scores: in the order of the networks.
    """

    pair: Pair
    width: int
    height: int
    face_height: int
    faces: tuple[int, ...]
    thumbnail: bytes = field(repr=False)
    scores: tuple[PhotoScore, ...]


def score(truth: NDArray[np.uint8], parsing: Parsing, partial: bool = False) -> PhotoScore:
    """Score a parsing against the truth ``(H, W)``; values that are no class do not count.

    A photo of the truth's proportions and another size is scored at the truth's size.

    Args:
        partial: the truth may hold the values of ``bisenet.data.partial_labels``.

    Raises:
        ValueError: the sizes differ otherwise.
    """
    found, confidence, judged = at_size(parsing, truth.shape)
    confusion = confusion_matrix(truth, found)
    wrong = partly_wrong(truth, found) if partial else None
    judged = judged & (truth < NUM_CLASSES)
    return PhotoScore(
        confusion=confusion,
        wrong=wrong,
        edges=None if partial else boundary_counts(truth, found),
        inside=class_pixels(truth[judged]),
        calibration=calibration_counts(confidence[judged], (truth == found)[judged]),
        miou=mean_of(iou_and_f1(confusion, wrong)[0]),
    )


def pooled(
    scores: Iterable[PhotoScore], partial: bool = False
) -> tuple[Scores, NDArray[np.float64]]:
    """Scores over a set, and its calibration counts ``(B, 3)``; ``partial`` as ``score`` has it."""
    total = Scores(with_boundary=not partial, partial=partial)
    calibration = np.zeros((BINS, 3))
    for one in scores:
        total.add_counts(one.confusion, one.edges, one.wrong)
        calibration += one.calibration
    return total, calibration


def face_height(truth: NDArray[np.uint8]) -> int:
    """Height of the largest face in a mask ``(H, W)``, pixels; hair, ears and neck are no part."""
    face = largest_face(truth)
    return 0 if face is None else face.box[3] - face.box[1]


def thumbnail(image: Image.Image) -> bytes:
    """A small JPEG; the image itself shrinks."""
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=80)
    return out.getvalue()


def without_ignored(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A truth mask that can be drawn: pixels that do not count become background."""
    return np.where(mask < NUM_CLASSES, mask, 0).astype(np.uint8)
