"""Photos and masks from bytes, checked before anything is parsed."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from bisenet.archives import ArchiveError, LeftOut
from bisenet.evaluation.labels import Labelling
from bisenet.evaluation.pairs import Pair
from bisenet.images import MAX_PIXELS, UNREADABLE, ImageError, opened, upright_size

Read = Callable[[str], bytes]


class MaskError(ValueError):
    """A mask that cannot be used; the message is a sentence for people."""


@dataclass(frozen=True, eq=False)
class Checked:
    """A pair that can be scored, as far as its mask and its photo's header tell.

    ``counts`` is ``(256,)``, the mask's pixels by id.
    """

    pair: Pair
    width: int
    height: int
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Survey:
    """All pairs looked through: the good ones, and a reason for each of the others."""

    checked: tuple[Checked, ...]
    problems: tuple[LeftOut, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Pixels by id over all masks, ``(256,)``."""
        return sum((c.counts for c in self.checked), np.zeros(256, np.int64))


def survey(
    pairs: Sequence[Pair],
    read: Read,
    progress: Callable[[float, str], None] = lambda _share, _what: None,
    stop: Callable[[], bool] = lambda: False,
    place: Callable[[bytes], AbstractContextManager[object]] = nullcontext,
) -> Survey:
    """Decode every mask and read every photo's header; ``place`` is held while one is decoded."""
    checked: list[Checked] = []
    problems: list[LeftOut] = []
    for done, pair in enumerate(pairs):
        if stop():
            break
        progress(done / len(pairs), f"{done} of {len(pairs)} masks")
        try:
            data = read(pair.mask)
            with place(data):
                ids = mask_ids(data)
        except (MaskError, ArchiveError) as error:
            problems.append(LeftOut(pair.mask, str(error)))
            continue
        try:
            size = upright_size(read(pair.photo))
        except (ImageError, ArchiveError) as error:
            problems.append(LeftOut(pair.photo, str(error)))
            continue
        height, width = ids.shape
        if size != (width, height):
            problems.append(
                LeftOut(
                    pair.photo,
                    f"The photo has {size[0]} x {size[1]} pixels, its mask {width} x {height}.",
                )
            )
            continue
        counts = np.bincount(ids.ravel(), minlength=256)
        checked.append(Checked(pair, width, height, counts))
    return Survey(tuple(checked), tuple(problems))


def split_by_ids(
    checked: Sequence[Checked], labelling: Labelling
) -> tuple[list[Checked], list[LeftOut]]:
    """Pairs whose ids all mean something under a labelling, and the others with their ids."""
    good: list[Checked] = []
    problems: list[LeftOut] = []
    for one in checked:
        unknown = labelling.unknown(one.counts)
        if unknown:
            shown = ", ".join(str(i) for i in unknown[:8]) + (", ..." if len(unknown) > 8 else "")
            ids, are = ("Id", "is") if len(unknown) == 1 else ("Ids", "are")
            reason = f"{ids} {shown} {are} no class here. Choose a mapping to say what they mean."
            problems.append(LeftOut(one.pair.mask, reason))
        else:
            good.append(one)
    return good, problems


def mask_ids(data: bytes) -> NDArray[np.uint8]:
    """A mask's ids, ``(H, W)``, as they stand in the file.

    Raises:
        MaskError: not an image, damaged, too large, or more than one byte a pixel.
    """
    try:
        with opened(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise MaskError(
                    f"The mask has {image.width * image.height / 1e6:,.0f} megapixels; "
                    f"the limit is {MAX_PIXELS // 10**6}."
                )
            if image.mode not in ("P", "L"):
                raise MaskError(
                    "A mask has one byte a pixel, its class id (an indexed or grey PNG); "
                    f"this one is {image.mode}."
                )
            return np.array(image, dtype=np.uint8)
    except MaskError:
        raise
    except UnidentifiedImageError as error:
        raise MaskError("This is not an image that can be read.") from error
    except UNREADABLE as error:
        raise MaskError("The mask is damaged or incomplete and cannot be decoded.") from error
