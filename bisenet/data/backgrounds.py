"""Backgrounds to paste faces on: colours, gradients, noise, textures, other photos' own.

The project ships no landscape photos. scikit-image's package brings a dozen pictures and textures
(those with people in them are left out); without scikit-image the other kinds remain.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from bisenet.classes import BACKGROUND
from bisenet.data.types import Image, Mask, Pair

_PICTURES = tuple(
    f"skimage/data/{name}"
    for name in (
        *("coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png"),
        *("hubble_deep_field.jpg", "brick.png", "grass.png", "gravel.png", "coins.png", "page.png"),
        *("text.png", "ihc.png", "retina.jpg", "moon.png", "chessboard_RGB.png", "cell.png"),
    )
)


@lru_cache(maxsize=2)
def bundled_pictures(names: tuple[str, ...] = _PICTURES) -> tuple[Image, ...]:
    """Pictures of installed packages, RGB, longest side at most 512; those that are there.

    Args:
        names: ``PACKAGE/PATH`` inside the package.
    """
    pictures = []
    for package, _, path in (name.partition("/") for name in names):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        picture = cv2.imread(str(Path(spec.origin).parent / path), cv2.IMREAD_COLOR)
        if picture is None:
            continue
        scale = min(1.0, 512 / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures.append(np.ascontiguousarray(small[..., ::-1]))
    return tuple(pictures)


def gradient(rng: np.random.Generator, size: int) -> Image:
    """A smooth blend between two to four random colours."""
    corners = rng.integers(0, 256, (int(rng.integers(1, 3)) + 1, 2, 3)).astype(np.uint8)
    return cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def noise(rng: np.random.Generator, size: int) -> Image:
    """Blotches at several scales around a random colour, as out-of-focus surroundings look."""
    base = np.full((size, size, 3), rng.integers(20, 236, 3), np.float32)
    for cells in (3, 8, 24, 80):
        channels = 3 if rng.random() < 0.6 else 1
        field = rng.normal(0, rng.uniform(5, 45), (cells, cells, channels)).astype(np.float32)
        layer = cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)
        base += layer.reshape(size, size, channels)
    return np.clip(base, 0, 255).astype(np.uint8)


def stripes(rng: np.random.Generator, size: int) -> Image:
    """Two colours in stripes or checks, as curtains, shelves and shirts have."""
    period = rng.uniform(0.03, 0.3) * size
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
    if rng.random() < 0.4:
        wave *= np.sin((y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / period))
    share = np.clip(wave * rng.uniform(1, 6) + 0.5, 0, 1)[..., None]
    first, second = rng.integers(0, 256, (2, 3))
    return (first * share + second * (1 - share)).astype(np.uint8)


def crop_of(rng: np.random.Generator, picture: Image, size: int) -> Image:
    """A random square of a picture, perhaps mirrored, at the size wanted."""
    side = int(min(picture.shape[:2]) * rng.uniform(0.35, 1.0))
    top = int(rng.integers(0, picture.shape[0] - side + 1))
    left = int(rng.integers(0, picture.shape[1] - side + 1))
    piece = picture[top : top + side, left : left + side]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    return cv2.resize(np.ascontiguousarray(piece), (size, size)).astype(np.uint8)


def background_of(image: Image, mask: Mask) -> Image:
    """A photo with its person filled in from the background around them, ``(H, W, 3)``."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    person = cv2.resize((mask != BACKGROUND).astype(np.uint8), (64, 64)) > 0
    known = cv2.erode((~person).astype(np.float32), np.ones((3, 3)))[..., None]
    filled = small * known
    weight = known.copy()
    for sigma in (3, 9, 27):
        near = cv2.GaussianBlur(known, (0, 0), sigma)[..., None]
        spread = cv2.GaussianBlur(small * known, (0, 0), sigma)
        missing = weight < 0.05
        filled = np.where(missing, spread / np.maximum(near, 1e-6), filled)
        weight = np.where(missing, near, weight)
    fill = cv2.resize(np.clip(filled, 0, 255), (image.shape[1], image.shape[0])).astype(np.uint8)
    wide = cv2.dilate((mask != BACKGROUND).astype(np.uint8) * 255, np.ones((9, 9), np.uint8))
    alpha = cv2.blur(wide, (9, 9))[..., None].astype(np.uint16)
    return ((fill * alpha + image * (255 - alpha)) // 255).astype(np.uint8)


def make_scene(
    rng: np.random.Generator,
    size: int,
    donors: Sequence[Pair] = (),
) -> Image:
    """A background, ``(size, size, 3)``, often blurred as if out of focus."""
    pictures = bundled_pictures()
    kind = rng.choice(5, p=[0.14, 0.16, 0.14, 0.26, 0.3])
    if kind == 3 and not pictures:
        kind = 1
    if kind == 4 and not donors:
        kind = 0
    if kind == 0:
        scene = gradient(rng, size)
    elif kind == 1:
        scene = noise(rng, size)
    elif kind == 2:
        scene = stripes(rng, size)
    elif kind == 3:
        scene = crop_of(rng, pictures[int(rng.integers(len(pictures)))], size)
    else:
        scene = crop_of(rng, background_of(*donors[int(rng.integers(len(donors)))]), size)
    if kind != 0 and rng.random() < 0.5:
        scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.003, 0.02) * size).astype(np.uint8)
    if rng.random() < 0.5:  # one picture gives many backgrounds
        gains = rng.uniform(0.5, 1.4) * rng.uniform(0.8, 1.2, 3)
        scene = np.clip(scene * gains, 0, 255).astype(np.uint8)
    return scene
