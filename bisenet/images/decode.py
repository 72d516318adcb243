"""Bytes become an upright sRGB image, or one clear sentence about why they cannot."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from bisenet.images import colors
from bisenet.images.headers import (
    MAX_PAGES,
    HeaderError,
    Metered,
    check_scans,
    check_tiff,
    check_tiles,
    tiff_pages,
)

with contextlib.suppress(
    ImportError
):  # a machine that only trains may lack it; HEIC is refused then
    import pillow_heif

    # What lies beside a photo, its thumbnail, depth or mask, is not looked at.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 64_000_000
# The longest side that a JPEG can have, which is what people are shown.
MAX_SIDE = 65_500
# Pillow's builds differ in whether they have the decoder.
_AVIF = ("AVIF",) * bool(features.check("avif"))
# MPO, several pictures of a camera one behind the other, is opened as JPEG. AVIF stands before
# HEIF: either can be in a container that does not tell at its start.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", *_AVIF, "HEIF", "GIF")
EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "bmp", "tif", "tiff"),
    *("heic", "heif", "hif", "gif"),
    *(("avif",) * len(_AVIF)),
)
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
# What Pillow and its decoders raise on a file that is none, or that is damaged: nearly anything.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_NO_IMAGE = "This is not an image that can be read."
_READABLE = ", ".join(("JPEG", "PNG", "WebP", "BMP", "TIFF", "HEIC", *_AVIF)) + " or GIF"


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
            check_declared(image, data)
            if draft:
                image.draft(None, (draft, draft))
            pixels = None if draft else _plain_jpeg(image, data)
            if pixels is None:
                image.load()
                check_size(*image.size)  # some formats know better once they are decoded
                pixels = _upright(colors.to_srgb(image), orientation(image))
            return Photo(pixels, _notices(image, data))
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(error) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{_NO_IMAGE} Use {_READABLE}.") from error
    except HeaderError as error:
        raise ImageError(
            "The file has far more in front of its pixels, or more parts, than a photo has. "
            "Save it as JPEG or PNG and try again."
        ) from error
    except MemoryError as error:
        raise ImageError("There is not enough memory to decode this image now.") from error
    except UNREADABLE as error:
        raise ImageError(
            "The image is damaged or incomplete and cannot be decoded. "
            "Export or download it again and retry."
        ) from error


@contextmanager
def opened(source: BinaryIO) -> Iterator[Image.Image]:
    """An image of which only the header was read; any size goes: ``check_size`` is for the caller.

    Raises:
        UNREADABLE: not an image, or damaged; from the block too, where that decodes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a file is nobody's news
        check_tiff(source, MAX_PIXELS)
        metered = Metered(source)
        with Image.open(cast(BinaryIO, metered), formats=FORMATS) as image:
            metered.allow_decoding()
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
    """Width and height of an image as ``load_image`` returns it.

    Reads the header only; of a PNG all of it, since how it is turned may stand at its end.

    Raises:
        ImageError: not an image.
    """
    try:
        with opened(io.BytesIO(data)) as image:
            width, height = image.size
            # A TIFF tells its size as it will be turned, and what is too large is not decoded.
            if (
                image.format == "TIFF"
                or width * height > MAX_PIXELS
                or max(width, height) > MAX_SIDE
            ):
                return (width, height)
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


def check_size(width: int, height: int) -> None:
    """Refuse a picture that is empty, or larger than can be parsed.

    Raises:
        ImageError: no pixels, more than ``MAX_PIXELS``, or a side of more than ``MAX_SIDE``.
    """
    if width < 1 or height < 1:
        raise ImageError(f"The image has no pixels ({width} x {height}).")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"The image is {width:,} x {height:,} ({width * height / 1e6:,.0f} megapixels); "
            f"the limit is {MAX_PIXELS // 10**6} megapixels. Save a smaller copy and try again."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"The image is {width:,} x {height:,}; the limit is {MAX_SIDE:,} pixels a side. "
            "Cut it into parts, or save a smaller copy, and try again."
        )


def check_declared(image: Image.Image, data: bytes) -> None:
    """Refuse what an opened file declares to be too large, or too much work, to be decoded.

    Raises:
        ImageError: as ``check_size``.
        HeaderError: far more tiles or scans than a photo has.
    """
    check_size(*image.size)
    check_tiles(image, MAX_PIXELS)
    check_scans(image, data, MAX_PIXELS)


def too_large(error: Image.DecompressionBombError) -> ImageError:
    """What Pillow refuses when it opens a file, in our sentence."""
    count = re.search(r"\d+", str(error))
    declared = f" ({int(count[0]) / 1e6:,.0f} megapixels)" if count else ""
    return ImageError(
        f"The image is too large{declared}; the limit is {MAX_PIXELS // 10**6} megapixels."
    )


def _notices(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """What people should know of the pictures in a file besides the one that is parsed."""
    if image.format == "TIFF":
        count, what, which = tiff_pages(io.BytesIO(data)), "pages", "the first page"
    elif image.format in ("HEIF", "MPO"):
        count, what, which = int(getattr(image, "n_frames", 1)), "pictures", "the main one"
    else:
        count = _frames(image, data)
        if count == 1:
            return ()
        many = f"of {count} frames" if count else "of very many frames"
        return (f"This file is an animation {many}; the first frame is parsed.",)
    if count < 2:
        return ()
    number = f"{count}" if count < MAX_PAGES else f"{MAX_PAGES} or more"
    return (f"This file holds {number} {what}; {which} is parsed.",)


def _frames(image: Image.Image, data: bytes) -> int:
    """How many frames a file has; 0 where there are too many to count.

    Only a GIF does not say: it is looked through, in a reading of its own.
    """
    if image.format != "GIF":
        return int(getattr(image, "n_frames", 1))
    try:
        with opened(io.BytesIO(data)) as again:
            return int(getattr(again, "n_frames", 1))
    except HeaderError:
        return 0
    except UNREADABLE:
        return 1


def _upright(pixels: NDArray[np.uint8], stored: int) -> NDArray[np.uint8]:
    """Pixels as they are to be seen, by EXIF's orientation 1 to 8."""
    upright = _UPRIGHT[stored](pixels) if stored != 1 else pixels
    return np.ascontiguousarray(upright, dtype=np.uint8)


def _plain_jpeg(opened: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """A whole JPEG in sRGB, decoded straight to an array; None for any other file.

    It is the same library that decodes, but Pillow keeps four bytes a pixel and copies them twice.
    OpenCV fills up what a cut-off file lacks, so only one that ends as it should is taken.
    """
    whole = opened.format == "JPEG" and opened.mode == "RGB" and data.endswith(_JPEG_END)
    profile = opened.info.get("icc_profile")
    if not whole or (profile and not colors.is_srgb(profile)):
        return None
    stored = orientation(opened)  # Pillow's, which also knows XMP's
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    if pixels is None or pixels.shape[:2] != (opened.height, opened.width):
        return None
    return _upright(np.asarray(pixels, np.uint8), stored)


def orientation(image: Image.Image) -> int:
    """How EXIF says that an image is stored, 1 to 8; 1, upright, where it says nothing known."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) and isinstance(value, int) else 1
