"""Pictures of every format and kind, small ones: what a mutator begins with."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from bisenet.images import samples
from bisenet.images.decode import FORMATS

# Format to the modes that Pillow writes it in.
MODES: dict[str, tuple[str, ...]] = {
    "PNG": ("RGB", "RGBA", "P", "L", "LA", "1", "I;16"),
    "JPEG": ("RGB", "L", "CMYK"),
    "MPO": ("RGB",),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "L", "P", "1"),
    "TIFF": ("RGB", "RGBA", "L", "P", "CMYK", "I;16", "F", "I", "1", "LAB", "YCbCr"),
    "HEIF": ("RGB", "RGBA", "L"),
    "AVIF": ("RGB", "RGBA"),
    "GIF": ("P", "L"),
}
KINDS = tuple(
    (kind, mode)
    for kind, modes in MODES.items()
    if kind in FORMATS or kind == "MPO"
    for mode in modes
)
VARIANTS = 25
_TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
_LONG = (1, 2, 3, 16_383, 16_384, 32_766, 32_767, 32_768, 40_000, 65_499, 65_500, 65_501)


def picture(rng: random.Random, mode: str) -> Image.Image:
    """A picture of some mode: a face, or noise, or one colour; sometimes thin, sometimes long."""
    if rng.random() < 0.03:
        sides = [rng.choice(_LONG), rng.randint(1, 6)]
        rng.shuffle(sides)
    else:
        sides = [rng.choice((1, 2, 3, 7, 16, 31, 64, 97)) for _ in range(2)]
    width, height = sides
    style = rng.random()
    if style < 0.35 and max(sides) < 1000:
        side = max(48, *sides)
        image = samples.astronaut_face().resize((side, side))
    elif style < 0.7 and max(sides) < 1000:
        noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (height, width, 3))
        image = Image.fromarray(noise.astype(np.uint8))
    else:
        image = Image.new("RGB", (width, height), tuple(rng.randrange(256) for _ in range(3)))
    return in_mode(image, mode, rng)


def in_mode(image: Image.Image, mode: str, rng: random.Random) -> Image.Image:
    """A picture in a mode, real numbers with odd ones among them now and then."""
    if mode == "F":
        values = np.asarray(image.convert("L"), np.float32) / rng.choice((1, 255, 1e-3, 1e30))
        if rng.random() < 0.4:
            values = values.copy()
            odd = rng.choice((np.nan, np.inf, -np.inf, -1.0, 3e38))
            values.ravel()[rng.randrange(values.size) :: rng.randint(1, 50)] = odd
        return Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.int32) * 1000)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB") or image
    if mode == "RGBA":
        image = image.convert("RGBA")
        image.putalpha(rng.randrange(256))
        return image
    return image.convert(mode)


@cache
def whole(kind: str, mode: str, variant: int) -> bytes:
    """One of ``VARIANTS`` good files of a format and mode; the same in every process."""
    return encoded(random.Random(f"{kind} {mode} {variant}"), kind, mode)


def encoded(rng: random.Random, kind: str, mode: str) -> bytes:
    """A whole, good file of some format and mode with what files carry beside their pixels."""
    image = picture(rng, mode)
    if kind in ("WEBP", "HEIF", "AVIF") and max(image.size) > 2_000:
        image = image.crop((0, 0, min(image.width, 2_000), min(image.height, 2_000)))
    if kind in ("HEIF", "AVIF") and min(image.size) < 16:
        image = image.resize((max(16, image.width), max(16, image.height)))
    options: dict[str, Any] = {}
    if rng.random() < 0.3 and kind in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"):
        options["icc_profile"] = _profile(rng, mode)
    if rng.random() < 0.3 and kind in ("PNG", "JPEG", "WEBP", "MPO", "AVIF"):
        exif = Image.Exif()
        exif[0x0112] = rng.randint(0, 9)
        options["exif"] = exif.tobytes()
    if kind == "TIFF":
        options.update(_tiff_options(rng, mode))
    if kind == "JPEG":
        options.update(progressive=rng.random() < 0.3, quality=rng.choice((20, 90)))
    if kind == "AVIF":
        options.update(speed=10)
    if kind in ("GIF", "PNG", "WEBP", "TIFF", "MPO") and rng.random() < (0.3, 1.0)[kind == "MPO"]:
        more = [image.copy() for _ in range(rng.randint(1, 3))]
        options.update(save_all=True, append_images=more)
    if kind == "PNG" and mode in ("P", "L", "RGB") and rng.random() < 0.3:
        options["transparency"] = (1, 2, 3) if mode == "RGB" else rng.randrange(256)
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def _tiff_options(rng: random.Random, mode: str) -> dict[str, Any]:
    if mode == "1":
        return {"compression": rng.choice(("raw", "group3", "group4", "packbits"))}
    choices: tuple[str, ...] = (
        _TIFF_COMPRESSIONS if mode in ("RGB", "L", "CMYK") else _TIFF_COMPRESSIONS[:4]
    )
    if mode in ("F", "I", "LAB", "YCbCr", "I;16"):
        choices = ("raw", "tiff_lzw", "tiff_adobe_deflate")
    return {"compression": rng.choice(choices), "big_tiff": rng.random() < 0.2}


def _profile(rng: random.Random, mode: str) -> bytes:
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for _ in range(rng.choice((0, 0, 1, 5, 40))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff(entries: list[tuple[int, int, int, int | bytes]], pixels: bytes = b"") -> bytes:
    """A little-endian TIFF of tags (tag, type, count, value), ``pixels`` at its end.

    A value in bytes is stored behind the tags.
    """
    place = 8 + 2 + 12 * len(entries) + 4
    out, tail = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in sorted(entries, key=lambda entry: entry[0]):
        if isinstance(value, bytes):
            out += struct.pack("<HHII", tag, kind, count, place + len(tail))
            tail += value
        else:
            out += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0\x08\0\0\0" + out + bytes(4) + tail + pixels


def _grey(width: int, height: int, compression: int = 1) -> list[tuple[int, int, int, int | bytes]]:
    return [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, compression),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
    ]


def _png(*chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(8 * 25)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def _jpeg(segments: bytes) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    data = out.getvalue()
    return b"\xff\xd8" + segments + data[data.index(b"\xff\xdb") :]


def _scans(count: int) -> bytes:
    """A progressive JPEG of 4 megapixels whose last scan comes again and again."""
    out = io.BytesIO()
    Image.new("RGB", (2000, 2000), (90, 120, 30)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def _gif(frames: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frames + b";"


_GIF_FRAME = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
_MEGABYTE = zlib.compress(bytes(2**20 - 10), 9)

# Files that are small, or within the limit, and would take minutes or gigabytes to be opened.
BOMBS: dict[str, Callable[[], bytes]] = {
    "PNG chunks": lambda: _png(png_chunk(b"prVt", b"") * 2**20),
    "PNG texts": lambda: _png(png_chunk(b"zTXt", b"k\0\0" + _MEGABYTE) * 500),
    "PNG profiles": lambda: _png(png_chunk(b"iCCP", b"k\0\0" + _MEGABYTE) * 900),
    "JPEG segments": lambda: _jpeg(b"\xff\xe5\0\x02" * 2**21),
    "JPEG filling": lambda: _jpeg(b"\xff" * 2**23),
    "JPEG scans": lambda: _scans(20_000),
    "GIF comments": lambda: _gif(b"\x21\xfe" + (b"\xff" + bytes(255)) * 2**16 + b"\0" + _GIF_FRAME),
    "TIFF tiles": lambda: tiff(
        [
            *_grey(4000, 4000),
            (322, 3, 1, 1),
            (323, 3, 1, 1),
            (324, 1, 16_000_000, bytes(16_000_000)),
            (325, 1, 16_000_000, b"\1" * 16_000_000),
        ]
    ),
    "TIFF strips": lambda: tiff(
        [
            *_grey(4000, 4000),
            (278, 3, 1, 1),
            (273, 1, 20_000_000, bytes(20_000_000)),
            (279, 1, 20_000_000, b"\1" * 20_000_000),
        ]
    ),
    "TIFF numbers": lambda: tiff(
        [
            *(entry for entry in _grey(64, 64) if entry[0] != 258),
            (258, 3, 10_000_000, b"\x08\0" * 10_000_000),
            (273, 4, 1, 8),
            (279, 4, 1, 4096),
        ]
    ),
    "TIFF tile": lambda: tiff(
        [
            *_grey(16, 16, 8),
            (322, 4, 1, 40_000),
            (323, 4, 1, 40_000),
            (324, 4, 1, 8),
            (325, 4, 1, 100),
        ]
    ),
}
