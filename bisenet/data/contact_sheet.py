"""A contact sheet of augmented samples, to check before a long run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from bisenet.classes import NUM_CLASSES, palette
from bisenet.data import backgrounds as scenes
from bisenet.data import photometric
from bisenet.data.accessories import RARE, paste_accessory
from bisenet.data.augment import (
    ALIGNED,
    MODERATE,
    NO_AUGMENT,
    WIDE,
    AugmentConfig,
    Geometry,
    augment,
)
from bisenet.data.partial_labels import NOT_HAIR, SKIN_PART, UNKNOWN
from bisenet.data.sampling import Draw, EpochSampler, FaceDataset
from bisenet.data.types import Image, Pair

CELL, COLUMNS, SIZE = 160, 8, 320
_LIGHT: dict[str, Callable[[np.random.Generator, Image], Image]] = {
    "colour": photometric.color_jitter,
    "uneven light": photometric.uneven_light,
    "low light": photometric.low_light,
    "blur": photometric.blur,
    "noise": lambda rng, image: photometric.add_noise(rng, image, rng.uniform(2, 14)),
    "JPEG": lambda rng, image: photometric.jpeg(image, int(rng.integers(12, 80))),
    "greyscale": lambda _rng, image: photometric.greyscale(image),
}


def _only(**changes: object) -> AugmentConfig:
    return replace(NO_AUGMENT, **changes)  # type: ignore[arg-type]


def _geometry(geometry: Geometry) -> AugmentConfig:
    return _only(geometries=(geometry,))


_CHANGES = {
    "aligned": _geometry(ALIGNED),
    "moderate": _geometry(MODERATE),
    "wide": _geometry(WIDE),
    "mirror": _only(mirror=1.0),
    "scene": _only(scene=1.0),
    "clothes": _only(recolor_cloth=1.0),
    "hair": _only(recolor_hair=1.0),
    "patch": _only(patch=1.0),
}


def contact_sheet(dataset: FaceDataset, sampler: EpochSampler, seed: int = 0) -> Image:
    """One row a change by itself, then the run's first samples; each with its mask below.

    Returns:
        ``(H, W, 3)`` RGB. Ignored pixels are magenta.
    """
    rows: list[tuple[str, list[Pair]]] = []
    faces = [dataset.face(i % len(dataset)) for i in range(COLUMNS)]
    for name, config in _CHANGES.items():
        rows.append(
            (
                name,
                [
                    augment(_rng(seed, name, i), *face, SIZE, config, faces)
                    for i, face in enumerate(faces)
                ],
            )
        )
    for name, change in _LIGHT.items():
        rows.append(
            (
                name,
                [
                    (change(_rng(seed, name, i), image), mask)
                    for i, (image, mask) in enumerate(faces)
                ],
            )
        )
    rows.append(("accessory", _with_accessories(dataset, faces, seed)))
    backgrounds = [scenes.make_scene(_rng(seed, "scenes", i), SIZE, faces) for i in range(COLUMNS)]
    nothing = np.zeros((SIZE, SIZE), np.uint8)
    rows.append(("backgrounds", [(image, nothing) for image in backgrounds]))
    rows += [("run", samples) for samples in _first_samples(dataset, sampler)]
    return np.concatenate([_row(name, pairs) for name, pairs in rows])


def write_contact_sheet(dataset: FaceDataset, sampler: EpochSampler, path: Path) -> None:
    """The contact sheet as an image file.

    Raises:
        OSError: it could not be written.
    """
    encoded = cv2.imencode(".png", contact_sheet(dataset, sampler)[..., ::-1])[1]
    path.write_bytes(np.asarray(encoded).tobytes())


def _rng(seed: int, name: str, column: int) -> np.random.Generator:
    return np.random.default_rng((seed, *name.encode(), column))


def _with_accessories(dataset: FaceDataset, faces: Sequence[Pair], seed: int) -> list[Pair]:
    wearers: list[Pair] = []
    for index in range(len(dataset)):
        if len(wearers) == COLUMNS:
            break
        face = dataset.face(index)
        if np.isin(face[1], RARE).any():
            wearers.append(face)
    return [
        paste_accessory(_rng(seed, "accessory", i), *faces[i % len(faces)], wearer)
        for i, wearer in enumerate(wearers)
    ]


def _first_samples(dataset: FaceDataset, sampler: EpochSampler, rows: int = 3) -> list[list[Pair]]:
    sampler.set_epoch(0, SIZE, 1)
    draws: list[Draw] = [draw for batch in sampler for draw in batch][: rows * COLUMNS]
    pairs = [dataset.sample(draw) for draw in draws]
    return [pairs[i : i + COLUMNS] for i in range(0, len(pairs), COLUMNS)]


def _row(name: str, pairs: Sequence[Pair]) -> Image:
    colors = np.zeros((256, 3), np.uint8)
    # Unknown is magenta, not hair white, skin of unknown part yellow.
    colors[:NUM_CLASSES], colors[UNKNOWN] = palette(), (255, 0, 255)
    colors[NOT_HAIR], colors[SKIN_PART] = (255, 255, 255), (255, 255, 0)
    row = np.zeros((2 * CELL, COLUMNS * CELL, 3), np.uint8)
    for column, (image, mask) in enumerate(pairs):
        over = cv2.addWeighted(image, 0.35, colors[mask], 0.65, 0)
        for half, picture in enumerate((image, over)):
            small = cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA)
            row[half * CELL : (half + 1) * CELL, column * CELL : (column + 1) * CELL] = small
    cv2.putText(row, name, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3)
    cv2.putText(row, name, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
    return row
