"""Score the parser on a folder of faces and masks, through the same pipeline that people use."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import CLASSES, NUM_CLASSES, mirror_lut
from bisenet.data.faces import DataError, FaceFile, Pair, read_face, read_mask
from bisenet.evaluation.metrics import Scores
from bisenet.images.decode import ImageError, load_image
from bisenet.parser import FaceParser
from bisenet.postprocess import upright

FramingName = Literal["auto", "whole"]
Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass
class Evaluation:
    """Pooled scores, and each picture's own mIoU by the photo's path."""

    scores: Scores
    per_image: dict[Path, float] = field(default_factory=dict)
    seconds: float = 0.0


def predictor(parser: FaceParser, framing: FramingName, flip: bool = False) -> Predict:
    """A function from a photo ``(H, W, 3)`` to class ids ``(H, W)``.

    Args:
        flip: average with the mirrored photo, its left and right classes swapped back. Twice the
            work; for aligned photos (``framing="whole"``).

    Raises:
        ValueError: flip with a framing other than ``whole``.
    """
    if not flip:
        return lambda image: parser.parse(image, framing=framing).mask
    if framing != "whole":
        raise ValueError("Flip averaging is for aligned photos: use it with --framing whole.")

    def both_ways(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return flip_averaged(parser, image)

    return both_ways


def flip_averaged(parser: FaceParser, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids ``(H, W)`` from the mean of the logits of a photo and of its mirror image."""
    face = parser.parse(image, framing="whole").faces[0]
    mirrored = parser.parse(np.ascontiguousarray(image[:, ::-1]), framing="whole").faces[0]
    back = mirrored.logits[mirror_lut()[:NUM_CLASSES], :, ::-1]
    logits = (face.logits.astype(np.float32) + back.astype(np.float32)) * np.float32(0.5)
    height, width = image.shape[:2]
    crop = face.crop
    return upright.read_whole(logits, crop.size, crop.matrix, (height, width))[0]


def read_as_people_do(file: FaceFile) -> Pair:
    """Photo ``(H, W, 3)`` and mask ``(H, W)``, the photo upright and in sRGB as on every page.

    Raises:
        DataError: a photo or mask cannot be used; the message names it.
    """
    if file.parts:  # CelebAMask-HQ's own release, whose photos are brought to their masks' size
        return read_face(file)
    mask = read_mask(file)
    try:
        photo = load_image(file.image)
    except ImageError as error:
        raise DataError(f"{file.image}: {error}") from error
    height, width = mask.shape
    if photo.size != (width, height):
        raise DataError(
            f"{file.image}: {photo.width} x {photo.height}, "
            f"but its mask {file.masks[0]} is {width} x {height}"
        )
    return np.asarray(photo), mask


def evaluate(
    predict: Predict, files: Sequence[FaceFile], boundary: bool = True, progress: bool = False
) -> Evaluation:
    """Score ``predict`` on every face, at its mask's resolution.

    Raises:
        DataError: a photo or mask cannot be used; the message names it.
    """
    result = Evaluation(Scores(with_boundary=boundary))
    started = time.monotonic()
    for i, file in enumerate(files):
        image, mask = read_as_people_do(file)
        found = predict(image)
        if found.shape != mask.shape:
            size = (mask.shape[1], mask.shape[0])
            found = cv2.resize(found, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        result.per_image[file.image] = result.scores.add(mask, found)
        result.seconds = time.monotonic() - started
        if progress and sys.stderr.isatty():
            print(f"\r{i + 1}/{len(files)}", end="", file=sys.stderr, flush=True)
    if progress and sys.stderr.isatty():
        print(file=sys.stderr)
    return result


def as_table(scores: Scores) -> str:
    """Scores for people to read: one line a class, means below."""
    report = scores.as_dict()
    per_class = report["per_class"]
    assert isinstance(per_class, dict)
    lines = [f"{'class':<12}{'IoU':>8}{'F1':>8}{'edge F1':>9}{'images':>8}{'pixels':>12}"]
    for c in CLASSES:
        row = per_class[c.name]
        cells = [_cell(row["iou"], 8), _cell(row["f1"], 8), _cell(row.get("boundary_f1"), 9)]
        lines.append(f"{c.name:<12}{''.join(cells)}{row['images']:>8}{row['pixels']:>12}")
    lines.append(
        f"\n{scores.images} images   mIoU {scores.miou:.4f} ({NUM_CLASSES} classes)   "
        f"mean F1 {scores.mean_f1:.4f} (foreground)"
    )
    if scores.with_boundary:
        lines.append(f"mean boundary F1 {scores.mean_boundary_f1:.4f} (foreground)")
    return "\n".join(lines)


def _cell(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>{width}}"
