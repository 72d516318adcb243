"""Photos and masks checked before anything is parsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.data.label_mapping import Labelling
from bisenet.data.masks import MaskError, Read, mask_ids, pair_ids
from bisenet.data.pairing import Pair
from bisenet.evaluation.fitting import same_shape
from bisenet.images.archives import ArchiveError, SkippedFile
from bisenet.images.decode import ImageError, upright_size


@dataclass(frozen=True, eq=False)
class Checked:
    """A pair that can be scored, as far as its mask and its photo's header tell.

    ``width`` and ``height`` are the photo's; ``counts`` is ``(256,)``, the mask's pixels by id.
    """

    pair: Pair
    width: int
    height: int
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Survey:
    """All pairs looked through: the good ones, and a reason for each of the others."""

    checked: tuple[Checked, ...]
    problems: tuple[SkippedFile, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Pixels by id over all masks, ``(256,)``, but for files named by their class."""
        return sum((c.counts for c in self.checked if not c.pair.parts), np.zeros(256, np.int64))

    @property
    def named(self) -> bool:
        """Whether the files' names say which class they show, so that ids are no question."""
        return bool(self.checked) and all(one.pair.parts for one in self.checked)


def survey(
    pairs: Sequence[Pair],
    read: Read,
    progress: Callable[[float, str], None] = lambda _share, _what: None,
    stop: Callable[[], bool] = lambda: False,
    place: Callable[[bytes], AbstractContextManager[object]] = nullcontext,
) -> Survey:
    """Decode every mask and read every photo's header; ``place`` is held while one is decoded."""
    checked: list[Checked] = []
    problems: list[SkippedFile] = []
    for done, pair in enumerate(pairs):
        if stop():
            break
        progress(done / len(pairs), f"{done} of {len(pairs)} masks")
        try:
            mask = read(pair.mask)
            with place(mask):
                ids = pair_ids(pair, read) if pair.parts else mask_ids(mask)
        except (MaskError, ImageError, ArchiveError) as error:
            problems.append(SkippedFile(pair.mask, str(error)))
            continue
        try:
            size = upright_size(read(pair.photo))
        except (ImageError, ArchiveError) as error:
            problems.append(SkippedFile(pair.photo, str(error)))
            continue
        height, width = ids.shape
        if not same_shape(size, (width, height)):
            problems.append(
                SkippedFile(
                    pair.photo,
                    f"The photo has {size[0]} x {size[1]} pixels, its mask {width} x {height}.",
                )
            )
            continue
        counts = np.bincount(ids.ravel(), minlength=256)
        checked.append(Checked(pair, *size, counts))
    return Survey(tuple(checked), tuple(problems))


def split_by_ids(
    checked: Sequence[Checked], labelling: Labelling, advice: str
) -> tuple[list[Checked], list[SkippedFile]]:
    """Pairs whose ids all mean something under a labelling, and the others with their ids.

    ``advice`` is a sentence that ends each reason.
    """
    good: list[Checked] = []
    problems: list[SkippedFile] = []
    for one in checked:
        unknown = "" if one.pair.parts else labelling.unknown(one.counts)
        if unknown:
            problems.append(SkippedFile(one.pair.mask, f"{unknown} {advice}"))
        else:
            good.append(one)
    return good, problems
