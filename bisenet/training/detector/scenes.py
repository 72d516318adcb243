"""Scenes to train the face detector on: faces of a labelled set, anywhere, at any size and roll.

``compose`` makes few scenes with a truth for every pixel; these are many, cheap, and their truth
is where each face's aligned crop lies. A pasted edge must not be what gives a face away, so heads
cut out by their masks are only one kind: whole photos, tiles and soft-edged pieces stand beside
them, and things are pasted that are no faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.data import photometric
from bisenet.data.backgrounds import (
    background_of,
    bundled_pictures,
    crop_of,
    gradient,
    noise,
    stripes,
)
from bisenet.data.types import Image, Pair
from bisenet.geometry.crops import PADDING
from bisenet.training.detector.photos import FacePhoto, view
from bisenet.training.detector.pieces import (
    LEVELS,
    clutter,
    drawing,
    level,
    levels,
    only_rim,
    outlines,
    scramble,
    wipe,
)
from bisenet.training.detector.targets import Target

# Pictures without people, for backgrounds. Coffee, grass and rocket are left for the tests.
_PICTURES = (
    *(f"skimage/data/{name}.png" for name in ("chelsea", "motorcycle_left")),
    "skimage/data/hubble_deep_field.jpg",
    *(f"skimage/data/{name}.png" for name in ("brick", "gravel", "coins", "page", "text", "ihc")),
    *("skimage/data/retina.jpg", "skimage/data/moon.png", "skimage/data/clock_motion.png"),
    *(f"skimage/data/{name}.png" for name in ("cell", "chessboard_RGB", "color")),
    *("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg"),
)
# Smaller crops than this are neither sought nor punished, pixels of the scene.
SMALLEST, SMALLEST_DRAWN = 20.0, 70.0
# How much of a face's middle must show for it to count as a face.
VISIBLE = 0.6
# How many of the scenes show a photo as it is, where there are such photos.
PHOTO_SHARE = 0.45


class SceneMaker:
    """Makes training scenes from labelled aligned faces.

    Args:
        pairs: photos ``(S, S, 3)`` that are aligned crops, with masks ``(S, S)``.
        seed: of the backgrounds.
        backgrounds: how many are made ahead.
        photos: folders of whole photos with their faces; each folder is shown equally often.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        seed: int = 0,
        backgrounds: int = 500,
        photos: Sequence[Sequence[FacePhoto]] = (),
    ):
        self._photos = photos
        self._faces = [levels(image, mask) for image, mask in pairs]
        self._shapes = outlines()
        rng = np.random.default_rng((seed, 7))
        self._pictures = bundled_pictures(_PICTURES)
        self._backgrounds = [self._background(rng, pairs) for _ in range(backgrounds)]

    def scene(self, rng: np.random.Generator, size: int) -> tuple[Image, list[Target]]:
        """A scene ``(size, size, 3)`` and the faces in it."""
        kind = rng.choice(4, p=(0.46, 0.3, 0.12, 0.12))
        canvas = self._backdrop(rng, size)
        owner = np.zeros((size, size), np.uint8)
        targets: list[Target] = []
        if self._photos and rng.random() < PHOTO_SHARE:
            return self._photo(rng, canvas)
        if kind == 0:
            self._scatter(rng, canvas, owner, targets)
        elif kind == 1:
            self._portrait(rng, canvas, owner, targets)
        elif kind == 2:
            canvas = self._tiles(rng, canvas, owner, targets)
        if kind == 3 or rng.random() < 0.45:
            for _ in range(int(rng.integers(1, 6))):
                self._distract(rng, canvas, owner, targets)
        if rng.random() < 0.15:
            _cover(rng, canvas, owner, targets)
        smallest = SMALLEST
        if rng.random() < 0.03:
            canvas, smallest = drawing(rng, canvas), SMALLEST_DRAWN
        kept = [_judged(i, target, owner, smallest) for i, target in enumerate(targets, start=1)]
        if rng.random() < 0.85:
            canvas = photometric.light(rng, canvas)
        if rng.random() < 0.12:  # the rim that a photo of other proportions leaves
            edge = int(rng.integers(1, size // 3))
            if rng.random() < 0.5:
                canvas[size - edge :] = PADDING
                kept = [t for t in kept if t.centre[1] < size - edge]
            else:
                canvas[:, size - edge :] = PADDING
                kept = [t for t in kept if t.centre[0] < size - edge]
        return canvas, [t for t in kept if 0 <= t.centre[0] < size and 0 <= t.centre[1] < size]

    def _photo(self, rng: np.random.Generator, canvas: Image) -> tuple[Image, list[Target]]:
        """A photo as it is; part of a face may be covered, as by a hand or a mask."""
        folder = self._photos[int(rng.integers(len(self._photos)))]
        photo = folder[int(rng.integers(len(folder)))]
        canvas, targets = view(rng, photo, canvas, _roll(rng))
        if rng.random() < 0.15:
            _cover(rng, canvas, np.zeros(canvas.shape[:2], np.uint8), targets)
        if rng.random() < 0.6:
            canvas = photometric.light(rng, canvas)
        large = [replace(t, counts=t.counts and t.side >= SMALLEST) for t in targets]
        return canvas, large

    def _scatter(
        self, rng: np.random.Generator, canvas: Image, owner: Image, targets: list[Target]
    ) -> None:
        """Up to twelve heads, cut out or as soft-edged pieces, the larger ones behind."""
        size = canvas.shape[0]
        number = int(rng.choice((1, 2, 3, 4, 6, 8, 12)))
        largest = np.exp(rng.uniform(np.log(30), np.log(300)))
        sides = np.exp(rng.uniform(np.log(max(16.0, largest / 4)), np.log(largest), number))
        cut_out = rng.random() < 0.6
        for side in sorted(sides.tolist(), reverse=True):
            for _ in range(6):
                x, y = rng.uniform(0.0, size, 2).tolist()
                if all(
                    np.hypot(x - t.centre[0], y - t.centre[1]) > 0.4 * (side + t.side)
                    for t in targets
                ):
                    target = Target((x, y), side, _roll(rng))
                    self._paste(rng, canvas, owner, targets, target, cut_out, 0.1)
                    break

    def _portrait(
        self, rng: np.random.Generator, canvas: Image, owner: Image, targets: list[Target]
    ) -> None:
        """One photo as it is, from a quarter of the frame to more than it holds."""
        size = canvas.shape[0]
        side = size * np.exp(rng.uniform(np.log(0.3), np.log(1.7)))
        reach = 0.5 * abs(size - side) + 0.15 * size
        x, y = (size / 2 + rng.uniform(-reach, reach, 2)).tolist()
        if side > 0.9 * size:
            x, y = np.clip((x, y), 0.2 * size, 0.8 * size).tolist()
        target = Target((float(x), float(y)), float(side), _roll(rng))
        cut_out = rng.random() < 0.25
        self._paste(rng, canvas, owner, targets, target, cut_out, 0.0 if cut_out else 0.06)

    def _tiles(
        self, rng: np.random.Generator, canvas: Image, owner: Image, targets: list[Target]
    ) -> Image:
        """Photos side by side, each with its own surroundings: nothing is pasted on anything."""
        size = canvas.shape[0]
        side = float(np.exp(rng.uniform(np.log(34), np.log(0.6 * size))))
        roll = _roll(rng)
        pitch = side * rng.uniform(0.82, 1.0)
        shift = rng.uniform(-0.5, 0.5, 2) * pitch
        count = int(size / pitch) + 2
        angle = np.deg2rad(roll)
        for row in range(count):
            for column in range(count):
                if rng.random() < 0.25:
                    continue
                offset = (np.array([column, row]) - (count - 1) / 2) * pitch + shift
                x = size / 2 + np.cos(angle) * offset[0] - np.sin(angle) * offset[1]
                y = size / 2 + np.sin(angle) * offset[0] + np.cos(angle) * offset[1]
                if -0.4 * side < x < size + 0.4 * side and -0.4 * side < y < size + 0.4 * side:
                    target = Target((float(x), float(y)), side, roll)
                    self._paste(rng, canvas, owner, targets, target, False, 0.02)
        return canvas

    def _paste(
        self,
        rng: np.random.Generator,
        canvas: Image,
        owner: Image,
        targets: list[Target],
        target: Target,
        cut_out: bool,
        feather: float,
    ) -> None:
        face = self._faces[int(rng.integers(len(self._faces)))]
        piece = level(face, target.side)
        if not cut_out:
            shapes = self._shapes[piece.shape[0]]
            which = 0 if feather < 0.05 else int(rng.integers(1, len(shapes)))
            piece = np.dstack([piece[..., :3], shapes[which]])
        if rng.random() < 0.35:
            piece = np.dstack([photometric.color_jitter(rng, piece[..., :3]), piece[..., 3]])
        matrix = _matrix(rng, target, piece.shape[0])
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        if _blend(canvas, owner, piece, matrix, len(targets) + 1):
            targets.append(target)

    def _distract(
        self, rng: np.random.Generator, canvas: Image, owner: Image, targets: list[Target]
    ) -> None:
        """Something of a person, or like one, that is no face."""
        size = canvas.shape[0]
        side = float(np.exp(rng.uniform(np.log(24), np.log(0.9 * size))))
        x, y = rng.uniform(0, size, 2).tolist()
        if any(np.hypot(x - t.centre[0], y - t.centre[1]) < 0.5 * (side + t.side) for t in targets):
            return
        face = self._faces[int(rng.integers(len(self._faces)))]
        piece = level(face, side).copy()
        kind = rng.integers(3)
        if kind == 0:
            wipe(rng, piece)
        elif kind == 1:
            scramble(rng, piece)
        else:
            only_rim(rng, piece)
        if kind != 2 and rng.random() < 0.4:
            piece[..., 3] = self._shapes[piece.shape[0]][-1]
        matrix = _matrix(rng, Target((x, y), side, _roll(rng)), piece.shape[0])
        _blend(canvas, owner, piece, matrix, 0)

    def _backdrop(self, rng: np.random.Generator, size: int) -> Image:
        picture = self._backgrounds[int(rng.integers(len(self._backgrounds)))]
        side = int(rng.uniform(0.4, 1.0) * picture.shape[0])
        top, left = rng.integers(0, picture.shape[0] - side + 1, 2).tolist()
        piece = picture[top : top + side, left : left + side]
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        return np.asarray(cv2.resize(np.ascontiguousarray(piece), (size, size)), np.uint8)

    def _background(self, rng: np.random.Generator, pairs: Sequence[Pair]) -> Image:
        kind = rng.choice(7, p=(0.04, 0.06, 0.06, 0.24, 0.2, 0.06, 0.34))
        size = 512
        if kind == 0:
            return gradient(rng, size)
        if kind == 1:
            return noise(rng, size)
        if kind == 2:
            return stripes(rng, size)
        if kind == 3 and self._pictures:
            return crop_of(rng, self._pictures[int(rng.integers(len(self._pictures)))], size)
        if kind == 5:
            return clutter(rng, size)
        if kind == 6:
            return self._jumble(rng, size)
        return crop_of(rng, background_of(*pairs[int(rng.integers(len(pairs)))]), size)

    def _jumble(self, rng: np.random.Generator, size: int) -> Image:
        """Pieces of pictures, clothes and hair at any scale over each other: a full room."""
        canvas = noise(rng, size)
        for _ in range(int(rng.integers(8, 40))):
            if self._pictures and rng.random() < 0.5:
                source = self._pictures[int(rng.integers(len(self._pictures)))]
            else:
                source = self._faces[int(rng.integers(len(self._faces)))][0].copy()
                only_rim(rng, source)
            wanted = int(np.exp(rng.uniform(np.log(24), np.log(0.6 * size))))
            piece = crop_of(rng, source[..., :3], wanted)
            alpha = self._shapes[LEVELS[1]][int(rng.choice((0, 0, 1, 3)))]
            rgba = np.dstack([piece, cv2.resize(alpha, (wanted, wanted))])
            x, y = rng.uniform(0, size, 2).tolist()
            matrix = _matrix(rng, Target((x, y), wanted, _roll(rng)), wanted)
            _blend(canvas, np.zeros((size, size), np.uint8), rgba, matrix, 0)
        return canvas


def _roll(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < 0.5:
        return float(rng.normal(0, 8))
    return float(rng.uniform(-60, 60) if kind < 0.72 else rng.uniform(-180, 180))


def _matrix(rng: np.random.Generator, target: Target, side: int) -> NDArray[np.float64]:
    """From a level's pixels to the scene's, a little narrowed and slanted, ``(2, 3)``."""
    angle = np.deg2rad(target.roll)
    narrow = np.exp(rng.uniform(-0.25, 0.08)) if rng.random() < 0.4 else 1.0
    shear = rng.uniform(-0.12, 0.12) if rng.random() < 0.3 else 0.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.array([[narrow, shear], [0.0, 1.0]]) * (target.side / side)
    offset = np.array(target.centre) - linear @ np.full(2, (side - 1) / 2)
    return np.column_stack([linear, offset])


def _blend(
    canvas: Image, owner: Image, piece: Image, matrix: NDArray[np.float64], number: int
) -> bool:
    """Paste a piece by its alpha, in place; False where nothing of it falls inside."""
    side = piece.shape[0]
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]]) @ matrix[:, :2].T
    corners += matrix[:, 2]
    limits = (canvas.shape[1], canvas.shape[0])
    x0, y0 = np.clip(np.floor(corners.min(0)), 0, limits).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(corners.max(0)) + 1, 0, limits).astype(int).tolist()
    if x1 <= x0 or y1 <= y0:
        return False
    local = matrix.copy()
    local[:, 2] -= (x0, y0)
    warped = cv2.warpAffine(
        np.ascontiguousarray(piece), local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR
    )
    here = canvas[y0:y1, x0:x1]
    alpha = warped[..., 3]
    three = cv2.merge([alpha, alpha, alpha])
    front = cv2.multiply(warped[..., :3], three, scale=1 / 255)
    here[:] = cv2.add(front, cv2.multiply(here, 255 - three, scale=1 / 255))
    owner[y0:y1, x0:x1][alpha > 127] = number
    return True


def _judged(number: int, target: Target, owner: Image, smallest: float) -> Target:
    """The target, marked by whether enough of its middle shows to call it a face."""
    x, y = target.centre
    radius = 0.26 * target.side
    ys = np.arange(int(y - radius), int(y + radius) + 1)
    xs = np.arange(int(x - radius), int(x + radius) + 1)
    # The nose lies a little below the crop's centre; near enough for a share.
    inside_y, inside_x = ys[(ys >= 0) & (ys < len(owner))], xs[(xs >= 0) & (xs < len(owner))]
    shown = (owner[np.ix_(inside_y, inside_x)] == number).sum() / max(1, len(ys) * len(xs))
    counts = bool(shown >= VISIBLE) and target.side >= smallest
    return Target(target.centre, target.side, target.roll, counts)


def _cover(
    rng: np.random.Generator, canvas: Image, owner: Image, targets: Sequence[Target]
) -> None:
    """A flat or noisy patch over part of a face, as hands, cups and other heads leave."""
    if not targets:
        return
    target = targets[int(rng.integers(len(targets)))]
    angle = rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0.15, 0.45) * target.side
    centre = (
        int(target.centre[0] + np.cos(angle) * away),
        int(target.centre[1] + np.sin(angle) * away),
    )
    axes = (rng.uniform(0.08, 0.25, 2) * target.side).astype(int) + 1
    shape = np.zeros(owner.shape, np.uint8)
    cv2.ellipse(shape, centre, axes.tolist(), float(rng.uniform(0, 180)), 0, 360, (1,), -1)
    color = rng.integers(0, 256, 3)
    canvas[shape > 0] = color
    owner[shape > 0] = 0
