"""Which photo an epoch shows when: data sets mixed by share, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bisenet.data.accessories import RARE
from bisenet.data.augment import CROP_RULES, AugmentConfig, CropRule, augment
from bisenet.data.crops import Frame, face_frame
from bisenet.data.faces import FaceFile, class_pixels, read_face
from bisenet.data.types import Pair

# An accessory pasted by a mask, a scene put behind it: only where the mask says all of it.
_NEEDS_FULL = {"accessory": 0.0, "scene": 0.0, "recolor_cloth": 0.0, "recolor_hair": 0.0}


@dataclass
class Source:
    """One data set of a run.

    Attributes:
        counts: pixels of each class in each photo, ``(N, 19)``.
        faces: photos and masks in memory, or None to read them each time.
        share: of each batch.
        full: masks name a class for every pixel, so that faces can be cut out and recoloured.
        frames: the square about each photo's face, where the crop rule asks for it.
        unlabelled: nothing is known about the photos but what ``relabel`` brings.
        shown: photos that may be shown, ``(N,)``; None for all.
    """

    name: str
    files: Sequence[FaceFile]
    counts: NDArray[np.int64]
    faces: list[Pair] | None = None
    share: float = 1.0
    crop: CropRule = "aligned"
    full: bool = True
    frames: list[Frame | None] = field(default_factory=list)
    unlabelled: bool = False
    shown: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.unlabelled and self.shown is None:
            self.shown = np.zeros(len(self.files), bool)
        geometries = CROP_RULES[self.crop][0]
        if any(g.about == "face" for g in geometries) and not self.frames:
            self.frames = [face_frame(self.face(i)[1]) for i in range(len(self.files))]

    def face(self, index: int) -> Pair:
        """The untouched photo and mask."""
        return self.faces[index] if self.faces is not None else read_face(self.files[index])

    def relabel(self, masks: Sequence[NDArray[np.uint8] | None]) -> None:
        """Take new masks, one a photo; a photo with None is not shown.

        Raises:
            ValueError: the photos are not in memory.
        """
        if self.faces is None:
            raise ValueError(f"{self.name}: labels can be made for photos in memory only.")
        self.shown = np.array([mask is not None for mask in masks])
        for i, mask in enumerate(masks):
            if mask is not None:
                self.faces[i] = (self.faces[i][0], mask)
                self.counts[i] = class_pixels(mask)

    def augmentation(self, config: AugmentConfig) -> AugmentConfig:
        """The run's augmentation, as this data set's photos allow it."""
        geometries, shares = CROP_RULES[self.crop]
        if geometries:
            config = replace(config, geometries=geometries, shares=shares)
        return config if self.full else replace(config, **_NEEDS_FULL)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Draw:
    """One sample of an epoch: which photo of which source, at what size, with what chance."""

    epoch: int
    position: int
    index: int
    size: int
    gentle: bool = False
    source: int = 0


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
    """Batches of draws for one epoch at a time, the same for the same seed and epoch.

    Args:
        factors: how often each photo of each source stands in one pass over the source; 0 leaves
            it out.
        shares: of the samples, one a source.
        samples: of an epoch; None for one pass over the only source.

    Raises:
        ValueError: several sources and no number of samples, or no photo to show.
    """

    def __init__(
        self,
        factors: Sequence[NDArray[np.float64]],
        seed: int,
        shares: Sequence[float] = (1.0,),
        samples: int | None = None,
    ):
        if len(factors) > 1 and samples is None:
            raise ValueError("Several data sets need a number of samples an epoch.")
        if not all(f.sum() > 0 for f, share in zip(factors, shares, strict=True) if share > 0):
            raise ValueError("A data set has no photo to show.")
        self.factors, self.seed, self.samples = factors, seed, samples
        self.shares = np.array(shares) / np.sum(shares)
        self.epoch, self.size, self.batch, self.gentle = 0, 512, 8, False

    def set_epoch(self, epoch: int, size: int, batch: int, gentle: bool = False) -> None:
        """Choose the epoch, its images' side in pixels, the batch, and the augmentation."""
        self.epoch, self.size, self.batch, self.gentle = epoch, size, batch, gentle

    def _pass(self, source: int, number: int) -> NDArray[np.int64]:
        """One pass over a source in a new order."""
        rng = np.random.default_rng((self.seed, 1, self.epoch, source, number))
        factors = self.factors[source]
        whole = np.floor(factors + rng.random(len(factors))).astype(np.int64)
        return rng.permutation(np.repeat(np.arange(len(whole)), whole))

    def _indices(self) -> list[tuple[int, int]]:
        """Source and photo of every sample."""
        if self.samples is None:
            return [(0, int(i)) for i in self._pass(0, 0)]
        chosen: list[tuple[int, int]] = []
        ends = np.round(np.cumsum(self.shares) * self.samples).astype(int)
        for source, count in enumerate(np.diff(ends, prepend=0)):
            indices = np.empty(0, np.int64)
            number = 0
            while len(indices) < count:
                indices = np.concatenate([indices, self._pass(source, number)])
                number += 1
            chosen += [(source, int(i)) for i in indices[:count]]
        order = np.random.default_rng((self.seed, 4, self.epoch)).permutation(len(chosen))
        return [chosen[i] for i in order]

    def __iter__(self) -> Iterator[list[Draw]]:
        draws = [
            Draw(self.epoch, position, index, self.size, self.gentle, source)
            for position, (source, index) in enumerate(self._indices())
        ]
        # A last, smaller batch would give batch normalisation poor statistics: left out.
        for start in range(0, max(1, len(draws) - self.batch + 1), self.batch):
            yield draws[start : start + self.batch]

    def __len__(self) -> int:
        count = len(self._pass(0, 0)) if self.samples is None else self.samples
        return max(1, count // self.batch)


class _Bank(Sequence[Pair]):
    """Faces by position, read when indexed."""

    def __init__(self, load: Callable[[int], Pair], indices: Sequence[int]):
        self._load, self._indices = load, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, i):  # type: ignore[no-untyped-def]
        return self._load(self._indices[i])


class FaceDataset(Dataset[tuple[Tensor, Tensor]]):
    """Augmented faces by draw.

    Items are an image ``(3, S, S)`` uint8 RGB and a mask ``(S, S)`` uint8 with the values of
    ``bisenet.data.partial_labels``. Backgrounds, patches and accessories come from the first
    source.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: AugmentConfig,
        seed: int,
        gentle: AugmentConfig | None = None,
    ):
        self.sources, self.config, self.seed = sources, config, seed
        self.gentle = gentle or config
        first = sources[0]
        self._donors = _Bank(first.face, range(len(first.files)))
        wearers = [np.flatnonzero(first.counts[:, c]) for c in RARE]
        most = max(len(w) for w in wearers)
        # Each accessory is drawn equally often, however few photos show it.
        balanced = [np.resize(w, most) for w in wearers if len(w)]
        self._wearers = _Bank(first.face, np.concatenate(balanced).tolist() if balanced else [])

    def __len__(self) -> int:
        return sum(len(source.files) for source in self.sources)

    def face(self, index: int) -> Pair:
        """An untouched photo and mask of the first source."""
        return self.sources[0].face(index)

    def sample(self, draw: Draw) -> Pair:
        """The augmented photo ``(S, S, 3)`` and mask ``(S, S)`` of a draw."""
        rng = np.random.default_rng((self.seed, 2, draw.epoch, draw.position))
        source = self.sources[draw.source]
        image, mask = source.face(draw.index)
        config = source.augmentation(self.gentle if draw.gentle else self.config)
        frame = source.frames[draw.index] if source.frames else None
        return augment(rng, image, mask, draw.size, config, self._donors, self._wearers, frame)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        image, mask = self.sample(draw)
        # Channels stay last in memory: the layout that the network runs in.
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)
