"""Faces and their masks: two layouts on disk, checks that name the file.

``images/`` + ``masks/`` hold one photo and one indexed mask a stem. CelebAMask-HQ's own release
(Lee et al., CVPR 2020) holds 1024-pixel photos and one binary 512-pixel mask a part, in folders of
2,000 faces each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bisenet.classes import BY_NAME, NUM_CLASSES, label_lut
from bisenet.data.partial_labels import PARTIAL, UNKNOWN
from bisenet.data.types import Pair as Pair  # older importers

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
RELEASE_IMAGES, RELEASE_MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
FACES_PER_FOLDER = 2000

# Drawn one over the other, so that small parts win over the large ones that they lie on.
RELEASE_ORDER = (
    *("skin", "neck", "cloth", "hair", "l_ear", "r_ear", "nose", "mouth", "u_lip", "l_lip"),
    *("l_eye", "r_eye", "l_brow", "r_brow", "eye_g", "ear_r", "neck_l", "hat"),
)


class DataError(ValueError):
    """The training data cannot be used; the message names the files."""


@dataclass(frozen=True)
class FaceFile:
    """Where one face's photo and labels lie.

    ``masks`` is one indexed mask in the label order ``order``, or one binary mask for each of
    ``parts``, in drawing order; without masks the photo has no labels. ``partial`` allows the
    values of ``bisenet.data.partial_labels`` in the mask.
    """

    image: Path
    masks: tuple[Path, ...]
    order: str = "bisenet"
    parts: tuple[int, ...] = ()
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
    if (root / RELEASE_IMAGES).is_dir():
        return _find_release(root)
    images, masks = root / "images", root / "masks"
    if not images.is_dir() or not masks.is_dir():
        raise DataError(
            f"{root}: expected images/ and masks/, or {RELEASE_IMAGES}/ and {RELEASE_MASKS}/."
        )
    label_lut(labels)
    photos = {p.stem: p for p in sorted(images.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES}
    twins = {p.stem: p for p in sorted(masks.iterdir()) if p.suffix.lower() == ".png"}
    if not photos:
        raise DataError(f"{images}: no images in this folder.")
    lonely = [f"{photos[s]}: no mask {s}.png in {masks}" for s in photos if s not in twins]
    lonely += [f"{twins[s]}: no image {s}.* in {images}" for s in twins if s not in photos]
    _raise_all(lonely)
    return [
        FaceFile(photo, (twins[stem],), labels, partial=partial) for stem, photo in photos.items()
    ]


def find_photos(root: Path) -> list[FaceFile]:
    """Every photo of a folder, or of its ``images/``, without labels.

    Raises:
        DataError: there is no such folder, or no photo in it.
    """
    folder = root / "images" if (root / "images").is_dir() else root
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not photos:
        raise DataError(f"{folder}: no images in this folder.")
    return [FaceFile(photo, ()) for photo in photos]


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


def _find_release(root: Path) -> list[FaceFile]:
    photos = sorted(
        (p for p in (root / RELEASE_IMAGES).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES),
        key=lambda p: (len(p.stem), p.stem),
    )
    if not photos:
        raise DataError(f"{root / RELEASE_IMAGES}: no images in this folder.")
    odd = [f"{p}: the name is not a number" for p in photos if not p.stem.isdigit()]
    _raise_all(odd)
    faces, lonely = [], []
    for photo in photos:
        number = int(photo.stem)
        folder = root / RELEASE_MASKS / str(number // FACES_PER_FOLDER)
        found = [(BY_NAME[n].id, folder / f"{number:05d}_{n}.png") for n in RELEASE_ORDER]
        there = [(part, path) for part, path in found if path.is_file()]
        if not there:
            lonely.append(f"{photo}: no masks {number:05d}_*.png in {folder}")
            continue
        parts, paths = zip(*there, strict=True)
        faces.append(FaceFile(photo, paths, parts=parts))
    _raise_all(lonely)
    return faces


def _raise_all(problems: Sequence[str], shown: int = 20) -> None:
    if problems:
        more = f"\n... and {len(problems) - shown} more" if len(problems) > shown else ""
        raise DataError("\n".join(problems[:shown]) + more)


def _open(path: Path, mode: str | None) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert(mode) if mode else image.copy()
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error


def read_mask(face: FaceFile) -> NDArray[np.uint8]:
    """A face's mask, ``(H, W)``, in our ids.

    Raises:
        DataError: unreadable, not one byte a pixel, ids out of range, or parts of unequal size.
    """
    if not face.parts:
        path = face.masks[0]
        picture = _open(path, None)
        if picture.mode not in ("P", "L"):
            raise DataError(f"{path}: a mask has one byte a pixel, this one is {picture.mode}")
        ids = np.asarray(picture)
        lut = label_lut(face.order)
        allowed = np.arange(256) < NUM_CLASSES
        if face.partial:
            open_values = [*PARTIAL, UNKNOWN]
            lut[open_values] = open_values
            allowed[open_values] = True
        if not allowed[ids].all():
            wrong = ", ".join(str(i) for i in np.unique(ids[~allowed[ids]])[:8])
            raise DataError(f"{path}: ids {wrong} are outside 0..{NUM_CLASSES - 1}")
        mask: NDArray[np.uint8] = lut[ids]
        return mask
    drawn_mask: NDArray[np.uint8] | None = None
    for part, path in zip(face.parts, face.masks, strict=True):
        drawn = np.asarray(_open(path, "L")) > 127
        if drawn_mask is None:
            drawn_mask = np.zeros(drawn.shape, np.uint8)
        if drawn.shape != drawn_mask.shape:
            raise DataError(
                f"{path}: {drawn.shape} differs from the other parts' {drawn_mask.shape}"
            )
        drawn_mask[drawn] = part
    assert drawn_mask is not None
    return drawn_mask


def read_face(face: FaceFile) -> Pair:
    """Photo ``(H, W, 3)`` RGB and mask ``(H, W)``, equal in size.

    The release's photos are twice the size of their masks and are brought to it.

    Raises:
        DataError: as ``read_mask``, or photo and mask differ in size.
    """
    photo = _open(face.image, "RGB")
    if not face.masks:
        return np.asarray(photo), np.full((photo.height, photo.width), UNKNOWN, np.uint8)
    mask = read_mask(face)
    size = (mask.shape[1], mask.shape[0])
    if photo.size != size:
        same_shape = photo.width * size[1] == photo.height * size[0]
        if not (face.parts and same_shape):
            raise DataError(
                f"{face.image}: {photo.width} x {photo.height}, "
                f"but its mask {face.masks[0]} is {size[0]} x {size[1]}"
            )
        photo = photo.resize(size, Image.Resampling.BOX)
    return np.asarray(photo), mask


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


def class_pixels(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each class, ``(19,)``; values that are no class are not counted."""
    return np.bincount(mask.ravel(), minlength=256)[:NUM_CLASSES].astype(np.int64)
