"""Masks of class ids from bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bisenet.data.label_mapping import Labelling
from bisenet.data.pairing import Pair
from bisenet.images.decode import UNREADABLE, ImageError, check_declared, opened, too_large

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
