"""Bytes become an upright sRGB image, or one clear sentence about why they cannot."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

pillow_heif.register_heif_opener()

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "GIF")
EXTENSIONS = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "heic", "heif", "gif")
_READABLE = "JPEG, PNG, WebP, BMP, TIFF, HEIC or GIF"


class ImageError(ValueError):
    """The bytes are not an image that can be parsed; the message is a sentence for people."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo: an upright RGB image, and what was done to it that people should know."""

    image: Image.Image
    notices: tuple[str, ...] = ()


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


def read_photo(source: bytes | str | Path | BinaryIO) -> Photo:
    """Decode an image file as ``load_image`` does, and say what was left out.

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
        with warnings.catch_warnings():
            # Large images are refused below by our own limit, in our own words.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _check_size(*opened.size)
                notices = []
                frames = int(getattr(opened, "n_frames", 1))
                if frames > 1 and opened.format in ("GIF", "WEBP", "PNG"):
                    notices.append(
                        f"This file is an animation of {frames} frames; the first frame is parsed."
                    )
                opened.load()
                return Photo(_to_rgb(opened), tuple(notices))
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        declared = f" ({int(pixels[0]) / 1e6:,.0f} megapixels)" if pixels else ""
        raise ImageError(
            f"The image is too large{declared}; the limit is {MAX_PIXELS // 10**6} megapixels."
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"This is not an image that can be read. Use {_READABLE}.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError) as error:
        raise ImageError(
            "The image is damaged or incomplete and cannot be decoded. "
            "Export or download it again and retry."
        ) from error


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


def _to_rgb(image: Image.Image) -> Image.Image:
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    upright = ImageOps.exif_transpose(image) if turned else image
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
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            transform = ImageCms.buildTransform(source, target, image.mode, "RGB")
            if image.mode == "RGB" and _changes_nothing(transform):
                converted = image.convert("RGB")
            else:
                converted = ImageCms.applyTransform(image, transform)
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A broken profile, or one for another colour space: the pixels still make a picture.
            converted = None
    if converted is None:
        return image.convert("RGB")
    converted.info.pop("icc_profile", None)
    return converted


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours stay as they are, to one level: most photos' profile is sRGB already.

    A few thousand colours tell, and cost less than to convert millions of pixels for nothing.
    """
    levels = np.linspace(0, 255, 16).round().astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    after = ImageCms.applyTransform(Image.fromarray(colors), transform)
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
