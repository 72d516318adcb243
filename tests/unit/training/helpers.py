"""Small made-up faces on disk, quick to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 64


def face(seed: int, size: int = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A noisy photo and a mask, in our ids, with skin, hair, cloth, eyes and an earring."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((size, size), np.uint8)
    part = size // 8
    mask[part : 3 * part, part : 7 * part] = 17
    mask[2 * part : 6 * part, 2 * part : 6 * part] = 1
    mask[6 * part :, part : 7 * part] = 16
    mask[3 * part : 4 * part, 2 * part : 3 * part] = 5
    mask[3 * part : 4 * part, 5 * part : 6 * part] = 4
    mask[4 * part : 5 * part, part : 2 * part] = 8
    mask[5 * part : 6 * part, part : 2 * part] = 9 if seed % 2 else 17
    colors = np.random.default_rng(1).integers(0, 256, (256, 3))
    image = colors[mask] + rng.integers(-20, 21, (size, size, 3))
    return np.clip(image, 0, 255).astype(np.uint8), mask


def write_faces(root: Path, count: int, size: int = SIZE) -> Path:
    """``images/`` and ``masks/`` in the bisenet order; returns ``root``."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for i in range(count):
        image, mask = face(i, size)
        Image.fromarray(image).save(root / "images" / f"{i:03d}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i:03d}.png")
    return root
