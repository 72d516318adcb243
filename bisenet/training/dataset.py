"""Faces and their masks: two layouts on disk, checks that name the file, seeded epochs.

``images/`` + ``masks/`` hold one photo and one indexed mask a stem. CelebAMask-HQ's own release
(Lee et al., CVPR 2020) holds 1024-pixel photos and one binary 512-pixel mask a part, in folders of
2,000 faces each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from bisenet.classes import BY_NAME, NUM_CLASSES, label_lut
from bisenet.training.accessories import RARE
from bisenet.training.augment import IGNORE, AugmentConfig, augment

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]

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
    ``parts``, in drawing order.
    """

    image: Path
    masks: tuple[Path, ...]
    order: str = "bisenet"
    parts: tuple[int, ...] = ()


def find_faces(root: Path, labels: str = "celebamask-hq") -> list[FaceFile]:
    """Every face under a folder, by name.

    Args:
        root: a folder with ``images/`` and ``masks/``, or CelebAMask-HQ's own release.
        labels: label order of indexed masks, a key of ``bisenet.classes.LABEL_ORDERS``.

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
    return [FaceFile(photo, (twins[stem],), labels) for stem, photo in photos.items()]


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
        mask = label_lut(face.order)[ids]
        if (mask == IGNORE).any():
            wrong = ", ".join(str(i) for i in np.unique(ids[mask == IGNORE])[:8])
            raise DataError(f"{path}: ids {wrong} are outside 0..{NUM_CLASSES - 1}")
        return mask
    mask = None
    for part, path in zip(face.parts, face.masks, strict=True):
        drawn = np.asarray(_open(path, "L")) > 127
        if mask is None:
            mask = np.zeros(drawn.shape, np.uint8)
        if drawn.shape != mask.shape:
            raise DataError(f"{path}: {drawn.shape} differs from the other parts' {mask.shape}")
        mask[drawn] = part
    assert mask is not None
    return mask


def read_face(face: FaceFile) -> Pair:
    """Photo ``(H, W, 3)`` RGB and mask ``(H, W)``, equal in size.

    The release's photos are twice the size of their masks and are brought to it.

    Raises:
        DataError: as ``read_mask``, or photo and mask differ in size.
    """
    mask = read_mask(face)
    photo = _open(face.image, "RGB")
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
    faces: list[Pair] = []
    counts = np.zeros((len(files), NUM_CLASSES), np.int64)
    problems = []
    for i, file in enumerate(files):
        try:
            image, mask = read_face(file)
        except DataError as error:
            problems.append(str(error))
            continue
        counts[i] = np.bincount(mask.ravel(), minlength=NUM_CLASSES)
        if keep:
            faces.append((image, mask))
    _raise_all(problems)
    return (faces if keep else None), counts


@dataclass(frozen=True)
class Draw:
    """One sample of an epoch: which face, at what size, with what chance."""

    epoch: int
    position: int
    index: int
    size: int
    gentle: bool = False


def repeat_factors(
    counts: NDArray[np.int64], threshold: float, classes: Sequence[int] = RARE
) -> NDArray[np.float64]:
    """How often an epoch shows each face, ``(N,)``, 1 or more.

    Repeat-factor sampling (Gupta et al., "LVIS", CVPR 2019): a class that ``threshold`` or more of
    the photos show is left alone, a rarer one repeats its photos by the square root of the ratio.
    """
    factors = np.ones(len(counts))
    for c in classes:
        present = counts[:, c] > 0
        if present.any():
            wanted = max(1.0, float(np.sqrt(threshold / present.mean())))
            factors[present] = np.maximum(factors[present], wanted)
    return factors


class EpochSampler:
    """Batches of draws for one epoch at a time, the same for the same seed and epoch."""

    def __init__(self, factors: NDArray[np.float64], seed: int):
        self.factors, self.seed = factors, seed
        self.epoch, self.size, self.batch, self.gentle = 0, 512, 8, False

    def set_epoch(self, epoch: int, size: int, batch: int, gentle: bool = False) -> None:
        """Choose the epoch, its images' side in pixels, the batch, and the augmentation."""
        self.epoch, self.size, self.batch, self.gentle = epoch, size, batch, gentle

    def _indices(self) -> NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, 1, self.epoch))
        whole = np.floor(self.factors + rng.random(len(self.factors))).astype(np.int64)
        return rng.permutation(np.repeat(np.arange(len(whole)), whole))

    def __iter__(self) -> Iterator[list[Draw]]:
        order = self._indices()
        draws = [Draw(self.epoch, p, int(i), self.size, self.gentle) for p, i in enumerate(order)]
        # A last, smaller batch would give batch normalisation poor statistics: left out.
        for start in range(0, max(1, len(draws) - self.batch + 1), self.batch):
            yield draws[start : start + self.batch]

    def __len__(self) -> int:
        return max(1, len(self._indices()) // self.batch)


class _Bank(Sequence[Pair]):
    """Faces by position, read only when looked at."""

    def __init__(self, load: Callable[[int], Pair], indices: Sequence[int]):
        self._load, self._indices = load, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, i):  # type: ignore[no-untyped-def]
        return self._load(self._indices[i])


class FaceDataset(Dataset[tuple[Tensor, Tensor]]):
    """Augmented faces by draw.

    Items are an image ``(3, S, S)`` uint8 RGB and a mask ``(S, S)`` uint8 with 255 to ignore.
    """

    def __init__(
        self,
        files: Sequence[FaceFile],
        faces: Sequence[Pair] | None,
        counts: NDArray[np.int64],
        config: AugmentConfig,
        seed: int,
        gentle: AugmentConfig | None = None,
    ):
        self.files, self.faces, self.config, self.seed = files, faces, config, seed
        self.gentle = gentle or config
        self._donors = _Bank(self.face, range(len(files)))
        wearers = [np.flatnonzero(counts[:, c]) for c in RARE]
        most = max(len(w) for w in wearers)
        # Each accessory is drawn equally often, however few photos show it.
        balanced = [np.resize(w, most) for w in wearers if len(w)]
        self._wearers = _Bank(self.face, np.concatenate(balanced).tolist() if balanced else [])

    def __len__(self) -> int:
        return len(self.files)

    def face(self, index: int) -> Pair:
        """The untouched photo and mask."""
        return self.faces[index] if self.faces is not None else read_face(self.files[index])

    def sample(self, draw: Draw) -> Pair:
        """The augmented photo ``(S, S, 3)`` and mask ``(S, S)`` of a draw."""
        rng = np.random.default_rng((self.seed, 2, draw.epoch, draw.position))
        image, mask = self.face(draw.index)
        config = self.gentle if draw.gentle else self.config
        return augment(rng, image, mask, draw.size, config, self._donors, self._wearers)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        image, mask = self.sample(draw)
        # Channels stay last in memory: the layout that the network runs in.
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)
