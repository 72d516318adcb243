"""Faces and their masks on the disk, for training: two layouts, checks that name the file.

``images/`` + ``masks/`` hold one photo and one indexed mask a stem. CelebAMask-HQ's own release
(Lee et al., CVPR 2020) holds 1024-pixel photos and one binary 512-pixel mask a part.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bisenet.classes import FACE_CLASSES, NUM_CLASSES, label_lut
from bisenet.data import pairing
from bisenet.data.label_mapping import of_order
from bisenet.data.masks import MaskError, pair_ids
from bisenet.data.partial_labels import UNKNOWN
from bisenet.data.types import Pair as Pair  # older importers

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
RELEASE_IMAGES, RELEASE_MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"


class DataError(ValueError):
    """The training data cannot be used; the message names the files."""


@dataclass(frozen=True)
class FaceFile:
    """Where one face's photo and labels lie.

    ``pair`` names the mask or its parts below ``root``; without one the photo has no labels.
    ``order`` is the label order of an indexed mask, and ``partial`` allows the values of
    ``bisenet.data.partial_labels`` in it.
    """

    image: Path
    root: Path
    pair: pairing.Pair | None = None
    order: str = "bisenet"
    partial: bool = False


def find_faces(root: Path, labels: str = "celebamask-hq", partial: bool = False) -> list[FaceFile]:
    """Every face under a folder, by name.

    Args:
        root: a folder with ``images/`` and ``masks/``, or CelebAMask-HQ's own release.
        labels: label order of indexed masks, a key of ``bisenet.classes.LABEL_ORDERS``.
        partial: masks may hold the values of ``bisenet.data.partial_labels``.

    Raises:
        DataError: neither layout is there, it is empty, or a photo or a mask has no twin.
    """
    release = (root / RELEASE_IMAGES).is_dir()
    images = root / (RELEASE_IMAGES if release else "images")
    masks = root / (RELEASE_MASKS if release else "masks")
    if not images.is_dir() or not masks.is_dir():
        raise DataError(
            f"{root}: expected images/ and masks/, or {RELEASE_IMAGES}/ and {RELEASE_MASKS}/."
        )
    label_lut(labels)
    photos = _files(images, IMAGE_SUFFIXES)
    found = pairing.pair_up(
        path.relative_to(root).as_posix()
        for path in (*photos, *_files(masks, {".png"}, "*/*" if release else "*"))
    )
    # Of the release, masks without a photo are no problem: some keep only a part of the photos.
    within = f"{images.name}/" if release else ""
    lonely = [p for p in found.problems if p.name.startswith(within)]
    _raise_all([f"{root / one.name}: {one.reason}" for one in lonely])
    faces = [FaceFile(root / p.photo, root, p, labels, partial) for p in found.pairs]
    return faces if release else sorted(faces, key=lambda face: face.image)


def find_photos(root: Path) -> list[FaceFile]:
    """Every photo of a folder, or of its ``images/``, without labels.

    Raises:
        DataError: there is no such folder, or no photo in it.
    """
    folder = root / "images" if (root / "images").is_dir() else root
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    return [FaceFile(photo, root) for photo in _files(folder, IMAGE_SUFFIXES)]


def _files(folder: Path, suffixes: set[str], pattern: str = "*") -> list[Path]:
    found = (path for path in folder.glob(pattern) if path.suffix.lower() in suffixes)
    files = sorted(found, key=os.fspath)
    if not files:
        raise DataError(f"{folder}: no images in this folder.")
    return files


def read_hashes(path: Path) -> frozenset[str]:
    """SHA-256 sums of a list of held-out photos: one a line, ``#`` begins a comment.

    Raises:
        DataError: the file cannot be read, or a line is no such sum.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    hashes = set()
    for number, line in enumerate(lines, 1):
        text = line.split("#")[0].strip().lower()
        if text and not (len(text) == 64 and set(text) <= set("0123456789abcdef")):
            raise DataError(f"{path}, line {number}: {text[:20]!r} is no SHA-256 sum.")
        hashes |= {text} - {""}
    return frozenset(hashes)


def photo_hashes(faces: Sequence[FaceFile]) -> list[str]:
    """SHA-256 of each photo's file, lower case.

    A folder of copies in another format carries ``sources.csv`` (stem, sha256) with the hashes of
    the originals, so that lists of held-out photos hold for it too.
    """
    listed: dict[Path, dict[str, str]] = {}
    hashes = []
    for face in faces:
        folder = face.image.parent
        if folder not in listed:
            listed[folder] = _listed_hashes(folder)
        known = listed[folder].get(face.image.stem)
        hashes.append(known or hashlib.sha256(face.image.read_bytes()).hexdigest())
    return hashes


def _listed_hashes(folder: Path) -> dict[str, str]:
    for table in (folder / "sources.csv", folder.parent / "sources.csv"):
        if table.is_file():
            rows = (line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:])
            return {row[0]: row[1].strip().lower() for row in rows if len(row) == 2}
    return {}


def _raise_all(problems: Sequence[str], shown: int = 20) -> None:
    if problems:
        more = f"\n... and {len(problems) - shown} more" if len(problems) > shown else ""
        raise DataError("\n".join(problems[:shown]) + more)


def read_face(face: FaceFile) -> Pair:
    """Photo ``(H, W, 3)`` RGB and mask ``(H, W)``, equal in size; ``UNKNOWN`` without labels.

    The release's photos are twice the size of their masks and are brought to it.

    Raises:
        DataError: a file cannot be read, a mask holds no class ids, or the sizes differ.
    """
    try:
        with Image.open(face.image) as image:
            photo = image.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{face.image}: cannot be read as an image ({error})") from error
    if face.pair is None:
        return np.asarray(photo), np.full((photo.height, photo.width), UNKNOWN, np.uint8)
    mask = _read_mask(face, face.pair)
    size = (mask.shape[1], mask.shape[0])
    if photo.size != size:
        same_shape = photo.width * size[1] == photo.height * size[0]
        if not (face.pair.parts and same_shape):
            raise DataError(
                f"{face.image}: {photo.width} x {photo.height}, "
                f"but its mask {face.root / face.pair.mask} is {size[0]} x {size[1]}"
            )
        photo = photo.resize(size, Image.Resampling.BOX)
    return np.asarray(photo), mask


def _read_mask(face: FaceFile, pair: pairing.Pair) -> NDArray[np.uint8]:
    try:
        ids = pair_ids(pair, lambda name: (face.root / name).read_bytes())
    except (MaskError, OSError) as error:
        raise DataError(f"{face.root / pair.mask}: {error}") from error
    if pair.parts:
        return ids
    labelling = of_order(face.order, face.partial)
    unknown = labelling.unknown(np.bincount(ids.ravel(), minlength=256))
    if unknown:
        raise DataError(f"{face.root / pair.mask}: {unknown}")
    return labelling.lut[ids]


def load_faces(
    files: Sequence[FaceFile], keep: bool = True
) -> tuple[list[Pair] | None, NDArray[np.int64]]:
    """Read and check every face, so that no bad file stops a run hours later.

    Args:
        keep: hold the decoded faces in memory (1 MB a face at 512 pixels).

    Returns:
        The faces, or None, and the pixels of each class in each face, ``(N, 19)``.

    Raises:
        DataError: names every bad file (the first twenty).
    """
    counts = np.zeros((len(files), NUM_CLASSES), np.int64)

    def read(i: int) -> Pair | str:
        try:
            pair = read_face(files[i])
        except DataError as error:
            return str(error)
        counts[i] = class_pixels(pair[1])
        return pair if keep else ""

    with ThreadPoolExecutor() as pool:  # decoding runs outside Python's lock
        results = list(pool.map(read, range(len(files))))
    _raise_all([problem for problem in results if isinstance(problem, str) and problem])
    return ([r for r in results if not isinstance(r, str)] if keep else None), counts


class MaskedFace(NamedTuple):
    """A face in a mask: its pixels ``(H, W)``, and the box around them, ``x0, y0, x1, y1``."""

    region: NDArray[np.bool_]
    box: tuple[int, int, int, int]


def largest_face(mask: NDArray[np.uint8]) -> MaskedFace | None:
    """The largest connected region of a face's classes in a mask ``(H, W)``; None without one."""
    lut = np.zeros(256, np.uint8)
    lut[list(FACE_CLASSES)] = 1
    count, parts, stats, _ = cv2.connectedComponentsWithStats(lut[mask])
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = stats[largest, :4].tolist()
    return MaskedFace(parts == largest, (x, y, x + width, y + height))


def class_pixels(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each class, ``(19,)``; values that are no class are not counted."""
    return np.bincount(mask.ravel(), minlength=256)[:NUM_CLASSES].astype(np.int64)
