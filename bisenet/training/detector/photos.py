"""Whole photos for the detector to learn from: turned heads, hats and hands as they come.

The composed scenes are made of aligned studio faces. What those lack, profiles, lowered heads and
people in their surroundings, photos have. A photo's mask says where its faces lie; where it has
none, the finder says so, and photos that it is unsure about are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.data.faces import find_photos
from bisenet.data.paste import before_warp
from bisenet.data.types import Image
from bisenet.detection.detector import Detector
from bisenet.detection.finder import CONFIDENT, VERIFY_SIZE, Finder
from bisenet.evaluation.true_faces import mask_of, true_landmarks
from bisenet.geometry.boxes import is_duplicate
from bisenet.images.decode import load_image
from bisenet.network.weights import file_hash
from bisenet.postprocess.landmarks import face_crop
from bisenet.training.detector.targets import Target

# Of the network's probabilities, below which a photo's face is no teacher.
SURE = 0.75
# A view's largest face, pixels, and the most that a photo is blown up.
LEAST_SIDE, MOST_SIDE, MOST_SCALE = 22.0, 520.0, 1.6


@dataclass(frozen=True, eq=False)
class FacePhoto:
    """A photo ``(H, W, 3)`` and its faces in its own pixels."""

    image: Image
    targets: tuple[Target, ...]


def face_photos(
    root: Path,
    finder: Finder,
    detector: Detector,
    held_out: frozenset[str],
    labels: str,
    limit: int,
) -> Iterator[FacePhoto]:
    """Photos of a folder that show where their faces are.

    Args:
        root: ``images/`` and perhaps ``masks/``, or photos.
        held_out: SHA-256 of the photos that stay out of training.
        labels: the order of the masks' ids.
        limit: most photos that are looked at, evenly spread.
    """
    files = [file for file in find_photos(root) if file_hash(file.image) not in held_out]
    for file in files[:: max(1, -(-len(files) // limit))]:
        image = np.asarray(load_image(file.image))
        shape = (image.shape[0], image.shape[1])
        mask = mask_of(file.image, root)
        marks = None if mask is None else true_landmarks(mask, shape, labels)
        if marks is not None:
            found = [face_crop(marks, VERIFY_SIZE, shape)]
        else:
            found = [f.crop for f in finder.find(image) if f.score >= SURE]
        if not found:
            continue
        # What the detector is sure of elsewhere may be a face: neither right nor wrong.
        seen = [p for side in (384, 768) for p in detector.propose(image, side, CONFIDENT)]
        unsure = [p for p in seen if not is_duplicate(p, found)]
        faces = [Target.of(crop) for crop in found]
        faces += [Target(p.centre, p.side, p.roll, counts=False) for p in unsure]
        yield FacePhoto(image, tuple(faces))


def view(
    rng: np.random.Generator, photo: FacePhoto, backdrop: Image, roll: float
) -> tuple[Image, list[Target]]:
    """A scene of the backdrop's size that shows a photo about one of its faces, or beside it.

    Args:
        backdrop: ``(S, S, 3)``, for what lies beyond the photo; drawn on.
        roll: degrees that the photo is turned, clockwise as seen.
    """
    size = backdrop.shape[0]
    image, targets = photo.image, photo.targets
    if rng.random() < 0.5:
        last = image.shape[1] - 1
        image = np.ascontiguousarray(image[:, ::-1])
        targets = tuple(
            Target((last - t.centre[0], t.centre[1]), t.side, -t.roll, t.counts) for t in targets
        )
    real = [t for t in targets if t.counts]
    chosen = real[int(rng.integers(len(real)))]
    wanted = np.exp(rng.uniform(np.log(LEAST_SIDE), np.log(MOST_SIDE)))
    if rng.random() < 0.35:  # all of the photo, as it is searched
        wanted = chosen.side * size / max(image.shape) * rng.uniform(0.9, 1.1)
    scale = float(min(wanted / chosen.side, MOST_SCALE))
    angle = np.deg2rad(roll)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    goal = size / 2 + rng.uniform(-0.45, 0.45, 2) * size
    matrix = np.column_stack([linear, goal - linear @ np.array(chosen.centre)])
    _draw(image, matrix, scale, backdrop)
    turned = [_moved(t, matrix, scale, roll) for t in targets]
    return backdrop, [t for t in turned if min(t.centre) >= 0 and max(t.centre) < size]


def _draw(image: Image, matrix: NDArray[np.float64], scale: float, canvas: Image) -> None:
    """A photo on a canvas, in place; pixels are averaged where it shrinks."""
    image, matrix = before_warp(image, matrix, scale)
    size = (canvas.shape[1], canvas.shape[0])
    shape = np.full(image.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(shape, matrix, size, flags=cv2.INTER_LINEAR) > 127
    drawn = cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    canvas[inside] = drawn[inside]


def _moved(target: Target, matrix: NDArray[np.float64], scale: float, roll: float) -> Target:
    x, y = matrix[:, :2] @ np.array(target.centre) + matrix[:, 2]
    return Target((float(x), float(y)), target.side * scale, target.roll + roll, target.counts)
