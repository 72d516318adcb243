"""What the detector's training scenes are put together from: faces, and things that are none."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bisenet.data.paste import outline
from bisenet.data.types import Image

LEVELS = (512, 256, 128, 64, 32)


def levels(image: Image, mask: Image) -> list[Image]:
    """The photo with its person's outline as alpha, ``(L, L, 4)`` for each of ``LEVELS``."""
    rgba = np.dstack([image, cv2.GaussianBlur(outline(mask), (0, 0), 1.5)])
    return [
        np.asarray(cv2.resize(rgba, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        for side in LEVELS
    ]


def level(levels: Sequence[Image], side: float) -> Image:
    """The smallest of a photo's levels that is no coarser than ``side`` pixels, about."""
    fine = [one for one in levels if one.shape[0] >= 0.8 * side]
    return fine[-1] if fine else levels[0]


def outlines() -> dict[int, list[Image]]:
    """Alphas for a photo with its background: a hard-edged square, a soft one, a soft oval."""
    made = {}
    for side in LEVELS:
        axis = np.abs(np.linspace(-1, 1, side, dtype=np.float32))
        square = np.maximum(axis[:, None], axis)
        oval = np.hypot(axis[:, None] * 0.95, axis * 1.1)
        fields = [(square, 0.995, 0.01), (square, 0.96, 0.08), (square, 0.98, 0.3), (oval, 1, 0.2)]
        made[side] = [
            (np.clip((edge - field) / soft, 0, 1) * 255).astype(np.uint8)
            for field, edge, soft in fields
        ]
    return made


def _inner(side: int) -> tuple[slice, slice]:
    """Rows and columns from brows to chin in an aligned crop."""
    return (slice(int(0.38 * side), int(0.86 * side)), slice(int(0.26 * side), int(0.74 * side)))


def wipe(rng: np.random.Generator, piece: Image) -> None:
    """Eyes, nose and mouth blurred away or painted over."""
    side = piece.shape[0]
    rows, columns = _inner(side)
    inner = piece[rows, columns, :3]
    if rng.random() < 0.5:
        inner[:] = cv2.GaussianBlur(inner, (0, 0), 0.12 * side)
    else:
        source = piece[: inner.shape[0], : inner.shape[1], :3] if rng.random() < 0.5 else None
        inner[:] = inner.mean((0, 1)) if source is None else source.copy()


def scramble(rng: np.random.Generator, piece: Image) -> None:
    """The inner face in tiles that are no longer where they were."""
    rows, columns = _inner(piece.shape[0])
    inner = piece[rows, columns, :3]
    count = int(rng.integers(3, 6))
    step = (inner.shape[0] // count, inner.shape[1] // count)
    if min(step) < 2:
        wipe(rng, piece)
        return
    before = inner.copy()
    order = rng.permutation(count * count)
    for place, source in enumerate(order.tolist()):
        y, x = place // count * step[0], place % count * step[1]
        v, u = source // count * step[0], source % count * step[1]
        tile = before[v : v + step[0], u : u + step[1]]
        inner[y : y + step[0], x : x + step[1]] = np.rot90(tile, 2)


def only_rim(rng: np.random.Generator, piece: Image) -> None:
    """Hair, or neck and clothes: the part above the brows or below the chin, blown up."""
    side = piece.shape[0]
    height = int(0.28 * side) if rng.random() < 0.5 else int(0.12 * side)
    rows = slice(0, height) if rng.random() < 0.5 else slice(side - height, side)
    strip = piece[rows]
    left = int(rng.integers(0, side - height + 1))
    piece[:] = cv2.resize(np.ascontiguousarray(strip[:, left : left + height]), (side, side))
    piece[..., 3] = 255


def clutter(rng: np.random.Generator, size: int) -> Image:
    """Flat shapes, lines and letters over each other, as posters and shelves show them."""
    canvas = np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(int(rng.integers(5, 40))):
        color = rng.integers(0, 256, 3).tolist()
        x, y = rng.integers(0, size, 2).tolist()
        radius = int(np.exp(rng.uniform(np.log(4), np.log(120))))
        thick = -1 if rng.random() < 0.6 else int(rng.integers(1, 6))
        kind = rng.integers(4)
        if kind == 0:
            cv2.circle(canvas, (x, y), radius, color, thick)
        elif kind == 1:
            cv2.rectangle(canvas, (x, y), (x + radius, y + 2 * radius), color, thick)
        elif kind == 2:
            cv2.line(canvas, (x, y), tuple(rng.integers(0, size, 2).tolist()), color, abs(thick))
        else:
            letter = chr(int(rng.integers(48, 91)))
            cv2.putText(canvas, letter, (x, y), 0, radius / 20, color, max(1, radius // 12))
    return canvas


def drawing(rng: np.random.Generator, canvas: Image) -> Image:
    """The scene as a line drawing, a pencil sketch or a poster of few tones."""
    kind = rng.integers(3)
    if kind == 2:
        steps = float(rng.integers(3, 8))
        smooth = cv2.medianBlur(canvas, 5)
        return np.asarray(np.round(smooth / 255 * steps) / steps * 255, np.uint8)
    gray = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
    if kind == 0:
        block = int(rng.integers(2, 8)) * 2 + 1
        gray = cv2.adaptiveThreshold(gray, 255, 0, cv2.THRESH_BINARY, block, 5)
    else:
        soft = cv2.GaussianBlur(255 - gray, (0, 0), rng.uniform(2, 8))
        gray = cv2.divide(gray, 255 - soft, scale=256)
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)
