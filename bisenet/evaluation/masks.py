"""Photos and masks from bytes, checked before anything is parsed."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bisenet.evaluation.fitting import same_shape
from bisenet.evaluation.label_mapping import Labelling
from bisenet.evaluation.pairing import Pair
from bisenet.images.archives import ArchiveError, SkippedFile
from bisenet.images.decode import (
    UNREADABLE,
    ImageError,
    check_declared,
    opened,
    too_large,
    upright_size,
)

Read = Callable[[str], bytes]
T = TypeVar("T", bound=np.generic)
_WHAT = {
    "RGB": "in colour",
    "RGBA": "in colour or transparent",
    "LA": "transparent",
    "I": "of numbers beyond 255",
    "I;16": "of numbers beyond 255",
}


class MaskError(ValueError):
    """A mask that cannot be used; the message is a sentence for people."""


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
        except (MaskError, ArchiveError) as error:
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
    checked: Sequence[Checked], labelling: Labelling
) -> tuple[list[Checked], list[SkippedFile]]:
    """Pairs whose ids all mean something under a labelling, and the others with their ids."""
    good: list[Checked] = []
    problems: list[SkippedFile] = []
    for one in checked:
        unknown = () if one.pair.parts else labelling.unknown(one.counts)
        if unknown:
            shown = ", ".join(str(i) for i in unknown[:8]) + (", ..." if len(unknown) > 8 else "")
            ids, are = ("Id", "is") if len(unknown) == 1 else ("Ids", "are")
            reason = f"{ids} {shown} {are} no class here. Choose a mapping to say what they mean."
            problems.append(SkippedFile(one.pair.mask, reason))
        else:
            good.append(one)
    return good, problems


def true_classes(
    pair: Pair, read: Read, labelling: Labelling, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """A pair's true classes, ``(H, W)``; what does not count is ``IGNORE``.

    Args:
        pair, read: the files.
        labelling: what the ids mean; files that are named by their class need none.
        size: width and height to bring them to; by default as they are.

    Raises:
        MaskError: as ``pair_ids``.
    """
    ids = pair_ids(pair, read)
    truth = ids if pair.parts else labelling.lut[ids]
    if size is None or size == (truth.shape[1], truth.shape[0]):
        return truth
    return np.asarray(Image.fromarray(truth).resize(size, Image.Resampling.NEAREST))


def pair_ids(pair: Pair, read: Read) -> NDArray[np.uint8]:
    """The ids of a pair's mask, ``(H, W)``; of files that show a class each, the classes' own ids.

    Raises:
        MaskError: as ``mask_ids``; parts of unequal size.
    """
    if not pair.parts:
        return mask_ids(read(pair.mask))
    drawn: NDArray[np.uint8] | None = None
    for part in pair.parts:
        try:
            here = _decoded(read(part.name), lambda image: np.asarray(image.convert("L")) > 127)
        except MaskError as error:
            raise MaskError(f"{part.name}: {error}") from error
        if drawn is None:
            drawn = np.zeros(here.shape, np.uint8)
        if here.shape != drawn.shape:
            raise MaskError(f"{part.name} is not of the size of the face's other parts.")
        drawn[here] = part.class_id
    assert drawn is not None
    return drawn


def mask_ids(data: bytes) -> NDArray[np.uint8]:
    """A mask's ids, ``(H, W)``, as they stand in the file.

    One id a pixel: indexed or grey, also where the grey was saved as colour or as 16 bits.

    Raises:
        MaskError: not an image, damaged, too large, or no such ids in it.
    """
    return _decoded(data, _ids_of)


def _ids_of(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in ("P", "L", "1"):
        return np.array(image, dtype=np.uint8)
    planes = np.asarray(image)
    if image.mode in ("LA", "RGB", "RGBA"):
        colors = planes[..., : 1 if image.mode == "LA" else 3]
        opaque = image.mode == "RGB" or bool((planes[..., -1] == 255).all())
        if opaque and bool((colors == colors[..., :1]).all()):
            return np.ascontiguousarray(colors[..., 0])
    elif image.mode.startswith("I") and int(planes.min()) >= 0 and int(planes.max()) <= 255:
        return planes.astype(np.uint8)
    raise MaskError(
        "A mask has one byte a pixel, its class id (an indexed or grey PNG); "
        f"this one is {_WHAT.get(image.mode, image.mode)}."
    )


def _decoded(data: bytes, take: Callable[[Image.Image], NDArray[T]]) -> NDArray[T]:
    try:
        with opened(io.BytesIO(data)) as image:
            check_declared(image, data)
            return take(image)
    except MaskError:
        raise
    except ImageError as error:
        raise MaskError(str(error).replace("The image", "The mask", 1)) from error
    except Image.DecompressionBombError as error:
        raise MaskError(str(too_large(error)).replace("The image", "The mask", 1)) from error
    except UnidentifiedImageError as error:
        raise MaskError("This is not an image that can be read.") from error
    except UNREADABLE as error:
        raise MaskError("The mask is damaged or incomplete and cannot be decoded.") from error
