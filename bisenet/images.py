"""Bytes become an upright sRGB image, or one clear sentence about why they cannot."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

pillow_heif.register_heif_opener()

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "GIF")
EXTENSIONS = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "heic", "heif", "gif")
_JPEG_END = b"\xff\xd9"
# How a photo is stored, as EXIF tells it, to how it is turned upright.
_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}
# What Pillow raises on a file that is none, or that is damaged.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    OverflowError,
    Image.DecompressionBombError,
)
_NO_IMAGE = "This is not an image that can be read."
_READABLE = "JPEG, PNG, WebP, BMP, TIFF, HEIC or GIF"


class ImageError(ValueError):
    """The bytes are not an image that can be parsed; the message is a sentence for people."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo.

    Attributes:
        pixels: ``(H, W, 3)`` uint8, upright sRGB.
        notices: what was done to it that people should know.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    notices: tuple[str, ...] = ()

    @property
    def image(self) -> Image.Image:
        """The pixels as a PIL image of mode ``RGB``; a copy."""
        return Image.fromarray(self.pixels)


def load_image(source: bytes | str | Path | BinaryIO) -> Image.Image:
    """Decode an image file.

    Args:
        source: the file's bytes, its path, or an open binary file.

    Returns:
        An upright sRGB image of mode ``RGB``.

    Raises:
        ImageError: not an image, damaged, empty, or too large.
    """
    return read_photo(source).image


def read_photo(source: bytes | str | Path | BinaryIO, draft: int = 0) -> Photo:
    """Decode an image file as ``load_image`` does, and say what was left out.

    Args:
        source: the file's bytes, its path, or an open binary file.
        draft: pixels of the shorter side that are enough: a JPEG is decoded at a half to an eighth
            of its sides, which takes as little memory; other formats are not. 0 for all there are.

    Raises:
        ImageError: not an image, damaged, empty, or too large.
    """
    data = _read_bytes(source)
    if not data:
        raise ImageError("The file is empty (0 bytes). Choose the photo again.")
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"The file is {len(data) / 2**20:.0f} MB; the limit is {MAX_BYTES // 2**20} MB. "
            "Save a smaller copy and try again."
        )
    try:
        with opened(io.BytesIO(data)) as image:
            _check_size(*image.size)
            notices = []
            frames = int(getattr(image, "n_frames", 1))
            if frames > 1 and image.format in ("GIF", "WEBP", "PNG"):
                notices.append(
                    f"This file is an animation of {frames} frames; the first frame is parsed."
                )
            if draft:
                image.draft(None, (draft, draft))
            pixels = None if draft else _plain_jpeg(image, data)
            if pixels is None:
                image.load()
                pixels = np.asarray(_to_rgb(image))
            return Photo(pixels, tuple(notices))
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        count = re.search(r"\d+", str(error))
        declared = f" ({int(count[0]) / 1e6:,.0f} megapixels)" if count else ""
        raise ImageError(
            f"The image is too large{declared}; the limit is {MAX_PIXELS // 10**6} megapixels."
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{_NO_IMAGE} Use {_READABLE}.") from error
    except UNREADABLE as error:
        raise ImageError(
            "The image is damaged or incomplete and cannot be decoded. "
            "Export or download it again and retry."
        ) from error


@contextmanager
def opened(source: BinaryIO) -> Iterator[Image.Image]:
    """An image of which only the header was read, and any size goes: ``MAX_PIXELS`` is ours to say.

    Raises:
        UNREADABLE: not an image, or damaged; from the block too, where that decodes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(source, formats=FORMATS) as image:
            yield image


def stored_size(source: BinaryIO) -> tuple[int, int]:
    """Width and height of an image as it is stored; reads the header only.

    Raises:
        ImageError: not an image.
    """
    try:
        with opened(source) as image:
            return image.size
    except UNREADABLE as error:
        raise ImageError(_NO_IMAGE) from error


def upright_size(data: bytes) -> tuple[int, int]:
    """Width and height of an image as ``load_image`` will turn it.

    Reads the header only; of a PNG all of it, since how it is turned may stand at its end.

    Raises:
        ImageError: not an image.
    """
    try:
        with opened(io.BytesIO(data)) as image:
            width, height = image.size
            return (height, width) if orientation(image) >= 5 else (width, height)
    except UNREADABLE as error:
        raise ImageError(_NO_IMAGE) from error


def display_name(name: str, limit: int = 60) -> str:
    """A file's name that is safe to show and to use in a download: no path, no control characters.

    An empty result becomes ``photo``; long names are shortened in the middle.
    """
    name = PureWindowsPath(unicodedata.normalize("NFC", name)).name
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    name = re.sub(r'[<>:"/\\|?*]', "_", name).strip(" .") or "photo"
    return name if len(name) <= limit else f"{name[: limit // 2]}…{name[-(limit // 2 - 1) :]}"


def _read_bytes(source: bytes | str | Path | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | Path):
        try:
            return Path(source).read_bytes()
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise ImageError(f"{source} cannot be opened: {reason}.") from error
    return source.read()


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"The image has no pixels ({width} x {height}).")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"The image is {width:,} x {height:,} ({width * height / 1e6:,.0f} megapixels); "
            f"the limit is {MAX_PIXELS // 10**6} megapixels. Save a smaller copy and try again."
        )


def _plain_jpeg(opened: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """A whole JPEG in sRGB, decoded straight to an array; None for any other file.

    It is the same library that decodes, but Pillow keeps four bytes a pixel and copies them twice.
    OpenCV fills up what a cut-off file lacks, so only one that ends as it should is taken.
    """
    whole = opened.format == "JPEG" and opened.mode == "RGB" and data.endswith(_JPEG_END)
    profile = opened.info.get("icc_profile")
    if not whole or (profile and not _is_srgb(profile)):
        return None
    turn = orientation(opened)  # Pillow's, which also knows XMP's
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    if pixels is None or pixels.shape[:2] != (opened.height, opened.width):
        return None
    upright = _UPRIGHT[turn](pixels) if turn != 1 else pixels
    return np.ascontiguousarray(upright, dtype=np.uint8)


def orientation(image: Image.Image) -> int:
    """How EXIF says that an image is stored, 1 to 8; 1, upright, where it says nothing known."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) and isinstance(value, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image) if orientation(image) != 1 else image
    profile = upright.info.get("icc_profile")
    if upright.mode.startswith(("I", "F")):
        return _scale_to_8_bits(upright).convert("RGB")
    if upright.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return _to_srgb(Image.alpha_composite(white, rgba).convert("RGB"), profile)
    return _to_srgb(upright, profile)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    converted: Image.Image | None = None
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            if image.mode == "RGB" and _is_srgb(profile):
                converted = image.convert("RGB")
            else:
                converted = ImageCms.applyTransform(image, _transform(profile, image.mode))
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A broken profile, or one for another colour space: the pixels still make a picture.
            converted = None
    if converted is None:
        return image.convert("RGB")
    converted.info.pop("icc_profile", None)
    return converted


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


@lru_cache(maxsize=32)
def _is_srgb(profile: bytes) -> bool:
    """Whether colours stay as they are, to one level: most photos' profile is sRGB already.

    A few thousand colours tell, and cost less than to convert millions of pixels for nothing. A
    broken profile is not: it is ignored where it is used.
    """
    levels = np.linspace(0, 255, 16).round().astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    try:
        after = ImageCms.applyTransform(Image.fromarray(colors), _transform(profile, "RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    if after is None:
        return False
    return bool(np.abs(np.asarray(after).astype(int) - colors).max() <= 1)


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float64)
    top = float(pixels.max(initial=0.0))
    if image.mode == "F" and top <= 1.0:
        white = 1.0
    elif image.mode == "F" and top <= 255.0:
        white = 255.0
    else:
        white = max(top, 65535.0)
    return Image.fromarray((pixels * (255.0 / white)).clip(0, 255).round().astype(np.uint8))
