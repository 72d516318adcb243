"""Where the face of a labelled photo lies, read off its mask as the parser reads its own labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import NUM_CLASSES, ids_of
from bisenet.data.label_mapping import of_order
from bisenet.data.masks import true_classes
from bisenet.data.pairing import Pair
from bisenet.evaluation import folder
from bisenet.geometry.boxes import Point
from bisenet.geometry.crops import whole_crop
from bisenet.postprocess.landmarks import Landmarks, find_landmarks

# Masks are read at this size, pixels of the longer side.
TRUTH_SIDE = 192
_HEAD = ids_of("hair", "hat", "eye_g")
# Of a photo's height: the part of a head, from its top, that says where the head stands.
_TOP = 0.06


def mask_of(photo: Path, root: Path) -> Path | None:
    """The mask of ``images/NAME``, ``masks/NAME.png``; None where there is none."""
    path = root / "masks" / f"{photo.stem}.png"
    return path if path.is_file() else None


def read_truth(mask: Path, labels: str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """True classes ``(H, W)`` of a mask that may leave classes open.

    Args:
        labels: a key of ``bisenet.classes.LABEL_ORDERS``.
        size: width and height to bring them to.

    Raises:
        MaskError: the mask cannot be read.
    """
    pair = Pair(mask.stem, mask.name, mask.name)
    labelling = of_order(labels, partial=True)
    return true_classes(pair, folder.reader(mask.parent), labelling, size)


def true_landmarks(mask: Path, shape: tuple[int, int], labels: str) -> Landmarks | None:
    """The landmarks of a mask's face in the photo's pixels; None where the mask leaves them open.

    Args:
        shape: the photo's height and width.
    """
    height, width = shape
    ratio = TRUTH_SIDE / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    truth = read_truth(mask, labels, size)
    logits = np.zeros((NUM_CLASSES, TRUTH_SIDE, TRUTH_SIDE), np.float32)
    top, left = (TRUTH_SIDE - size[1]) // 2, (TRUTH_SIDE - size[0]) // 2
    logits[:, top : top + size[1], left : left + size[0]] = np.where(
        np.arange(NUM_CLASSES)[:, None, None] == truth, 20.0, 0.0
    )
    marks = find_landmarks(logits, whole_crop(height, width, TRUTH_SIDE), reach=2.0)
    return marks if marks is not None and marks.score > 0 else None


def head_top(truth: NDArray[np.uint8]) -> Point | None:
    """The top of a head ``(x, y)`` in a mask that labels hair, hat or glasses; None without."""
    ys, xs = np.nonzero(np.isin(truth, _HEAD))
    if not len(ys):
        return None
    top = int(ys.min())
    return float(xs[ys <= top + _TOP * len(truth)].mean()), float(top)
