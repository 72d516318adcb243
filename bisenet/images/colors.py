"""Decoded pixels of any mode become sRGB of 8 bits, band by band: a large photo fills no room."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

# Pixels that are converted at a time.
BAND_PIXELS = 1 << 21
# A press's profile has up to 3 MB; a larger one is no profile, or is there to take time.
MAX_PROFILE_BYTES = 4 * 2**20
# sRGB's own profiles have 3 to 61 kB. Smaller ones are remembered, not larger ones.
_SMALL_PROFILE = 2**16
_ALPHA = ("LA", "PA", "RGBA", "RGBa", "La")
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_BROKEN = (ImageCms.PyCMSError, OSError, ValueError)

_Convert = Callable[[Image.Image], Image.Image]


def to_srgb(image: Image.Image) -> NDArray[np.uint8]:
    """A decoded picture's pixels, ``(H, W, 3)``: by its profile, transparency over white.

    Whole numbers of more than 8 bits and real numbers are scaled; a pixel that is no number, or
    infinite, becomes the mean of those around it that are, and black where there are none.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    in_srgb = _by_profile(image)
    scale = _to_8_bits(image) if image.mode.startswith(("I", "F")) else None
    for top, bottom in _bands(image):
        if scale is not None:
            band = scale(top, bottom)
        else:
            band = image.crop((0, top, image.width, bottom))
            if image.mode in _ALPHA or "transparency" in image.info:
                band = _over_white(band)
        pixels[top:bottom] = np.asarray(in_srgb(band))
    return pixels


@lru_cache(maxsize=64)
def _small_is_srgb(profile: bytes) -> bool:
    levels = np.linspace(0, 255, 16).round().astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    try:
        after = ImageCms.applyTransform(Image.fromarray(colors), _transform(profile, "RGB"))
    except _BROKEN:
        return False
    if after is None:
        return False
    return bool(np.abs(np.asarray(after).astype(int) - colors).max() <= 1)


def is_srgb(profile: bytes) -> bool:
    """Whether colours stay as they are, to one level: most photos' profile is sRGB already.

    A few thousand colours tell, and cost less than to convert millions of pixels for nothing. A
    broken profile is not: it is ignored where it is used.
    """
    return len(profile) <= _SMALL_PROFILE and _small_is_srgb(profile)


def _by_profile(image: Image.Image) -> _Convert:
    """How a band of the picture becomes sRGB: as its profile says, where it has one that works."""

    def plain(band: Image.Image) -> Image.Image:
        return band.convert("RGB")

    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= MAX_PROFILE_BYTES:
        return plain
    if image.mode == "1" or is_srgb(profile):
        return plain
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space
        mode = _MODES.get(space, "")
        # Grey has no colours to tell apart, and only four inks are meant by a press's profile.
        if not mode or (mode == "CMYK") != (image.mode == "CMYK"):
            return plain
        if mode == "L" and not image.mode.startswith(("L", "I", "F")):
            return plain
        transform = _transform(profile, mode)
    except _BROKEN:
        return plain

    def converted(band: Image.Image) -> Image.Image:
        result = ImageCms.applyTransform(band.convert(mode), transform)
        return plain(band) if result is None else result

    return converted


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


def _over_white(band: Image.Image) -> Image.Image:
    rgba = band.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _bands(image: Image.Image) -> Iterator[tuple[int, int]]:
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, min(top + rows, image.height)


def _values(image: Image.Image, top: int, bottom: int) -> NDArray[np.float64]:
    return np.asarray(image.crop((0, top, image.width, bottom)), dtype=np.float64)


def _to_8_bits(image: Image.Image) -> Callable[[int, int], Image.Image]:
    """How a band of numbers becomes grey of 8 bits; one white for all bands."""
    white = _white(image)

    def scaled(top: int, bottom: int) -> Image.Image:
        above, below = max(0, top - 1), min(image.height, bottom + 1)
        values = _mended(_values(image, above, below))[top - above : bottom - above]
        levels = (values * (255.0 / white)).clip(0, 255).round()
        return Image.fromarray(levels.astype(np.uint8))

    return scaled


def _white(image: Image.Image) -> float:
    """The number that is white: the range of its kind, or the largest number where that is more."""
    top = 0.0
    for begin, end in _bands(image):
        values = _values(image, begin, end)
        top = max(top, float(values.max(initial=0.0, where=np.isfinite(values))))
    if image.mode == "F" and top <= 255.0:
        return 1.0 if top <= 1.0 else 255.0
    return max(top, 65535.0)


def _mended(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values ``(H, W)``, each that is no finite number replaced by the mean of those around it."""
    good = np.isfinite(values)
    rows, columns = np.nonzero(~good)
    if not len(rows):
        return values
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            y = np.clip(rows + down, 0, values.shape[0] - 1)
            x = np.clip(columns + across, 0, values.shape[1] - 1)
            usable = good[y, x]
            total += np.where(usable, values[y, x], 0.0)
            count += usable
    mended = values.copy()
    mended[rows, columns] = total / np.maximum(count, 1)
    return mended
