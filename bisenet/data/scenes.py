"""Scenes with known truth: faces of a labelled set, cut out and placed on other backgrounds.

The size of a face is the height of its face box in the aligned picture, times the scale it is
placed at: the box around skin, brows, eyes, glasses, nose and mouth, so from the hairline to the
chin, without hair, ears and neck. In an aligned 512-pixel crop that is about 380 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bisenet.classes import BACKGROUND, FACE_CLASSES
from bisenet.data.backgrounds import make_scene
from bisenet.data.faces import largest_face
from bisenet.data.paste import before_warp, blend, outline
from bisenet.data.types import Image, Mask, Pair

ATTEMPTS = 60


@dataclass(frozen=True)
class PlacedFace:
    """A face whose place is known.

    Attributes:
        source: index of the pair it was cut from.
        size: height of the face box before it was turned, pixels of the scene.
        roll: degrees, clockwise as seen.
        box: upright box around the face's classes, ``x0, y0, x1, y1`` in the scene's pixels.
        centre: centre of the face box.
    """

    source: int
    size: float
    roll: float
    box: tuple[float, float, float, float]
    centre: tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """A composed picture ``(H, W, 3)``, its truth ``(H, W)`` and the faces in it."""

    image: Image
    mask: Mask
    faces: tuple[PlacedFace, ...]


def face_box(mask: Mask) -> tuple[int, int, int, int]:
    """The largest connected face in an aligned mask: ``x0, y0, x1, y1``.

    Raises:
        ValueError: the mask shows no face.
    """
    face = largest_face(mask)
    if face is None:
        raise ValueError("The mask shows no face.")
    return face.box


def place(
    canvas: Image, truth: Mask, pair: Pair, size: float, roll: float, centre: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Paste a head, by its mask, into a scene, in place.

    Everything in the pair that is not background is pasted, so clothes and neck come along and
    end where the aligned picture ends. The edge is feathered by about a pixel of the result.

    Args:
        size: height of the face box, pixels. roll: degrees, clockwise as seen.
        centre: where the centre of the face box goes, ``x, y``.

    Returns:
        The upright box around its face classes, ``x0, y0, x1, y1``.
    """
    image, mask = pair
    x0, y0, x1, y1 = face_box(mask)
    scale = size / (y1 - y0)
    cos, sin = np.cos(np.deg2rad(roll)) * scale, np.sin(np.deg2rad(roll)) * scale
    middle = np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2])
    linear = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([linear, np.array(centre) - linear @ middle])
    target = (canvas.shape[1], canvas.shape[0])
    labels = cv2.warpAffine(mask, matrix, target, flags=cv2.INTER_NEAREST)
    rgba, matrix = before_warp(np.dstack([image, outline(mask)]), matrix, scale)
    warped = cv2.warpAffine(rgba, matrix, target, flags=cv2.INTER_LINEAR)
    canvas[:] = blend(warped[..., :3], canvas, cv2.GaussianBlur(warped[..., 3], (0, 0), 0.6))
    own = labels != BACKGROUND
    truth[own] = labels[own]
    ys, xs = np.nonzero(np.isin(labels, FACE_CLASSES))
    if xs.size == 0:
        return (centre[0], centre[1], centre[0], centre[1])
    return (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


def compose(
    rng: np.random.Generator,
    pairs: Sequence[Pair],
    sizes: Sequence[float],
    rolls: Sequence[float],
    shape: tuple[int, int] = (960, 1280),
) -> Scene:
    """A scene of ``len(sizes)`` faces, drawn from ``pairs``, each at its size and roll.

    Face boxes keep apart; hair and shoulders may overlap, the later face in front. A face that
    finds no room is left out.

    Args:
        rng: the only source of chance.
        rolls: degrees, one a face.
        shape: height and width of the scene.
    """
    height, width = shape
    donor = pairs[int(rng.integers(len(pairs)))]
    canvas = make_scene(rng, max(shape), [donor])[:height, :width].copy()
    truth = np.zeros(shape, np.uint8)
    faces: list[PlacedFace] = []
    chosen = rng.permutation(len(pairs))
    for number, (size, roll) in enumerate(zip(sizes, rolls, strict=True)):
        centre = _room(rng, faces, size, shape)
        if centre is None:
            continue
        source = int(chosen[number % len(pairs)])
        box = place(canvas, truth, pairs[source], size, roll, centre)
        faces.append(PlacedFace(source, float(size), float(roll), box, centre))
    return Scene(canvas, truth, tuple(faces))


def _room(
    rng: np.random.Generator,
    taken: Sequence[PlacedFace],
    size: float,
    shape: tuple[int, int],
) -> tuple[float, float] | None:
    """A centre for a face of this size that lies inside the scene and keeps off the others."""
    margin = 0.62 * size
    for _ in range(ATTEMPTS):
        low, high = np.array([margin, margin]), np.array([shape[1] - margin, shape[0] - margin])
        x, y = rng.uniform(np.minimum(low, high), np.maximum(low, high))
        if all(
            np.hypot(x - other.centre[0], y - other.centre[1]) > 0.7 * (size + other.size)
            for other in taken
        ):
            return (float(x), float(y))
    return None
