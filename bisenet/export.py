"""Everything that a person can download, as bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bisenet import render
from bisenet.classes import CLASSES, palette
from bisenet.parser import Parsing


def indexed_png(mask: NDArray[np.uint8]) -> bytes:
    """A mask ``(H, W)`` as a palette PNG: one byte a pixel, class ids, class colours.

    The class names stand in the text chunk ``classes``, a JSON object from id to name.
    """
    image = Image.fromarray(mask)
    image.putpalette(palette().ravel().tolist())
    names = PngInfo()
    names.add_text("classes", json.dumps({c.id: c.name for c in CLASSES}))
    return _png(image, pnginfo=names)


def gray_png(plane: NDArray[np.float32]) -> bytes:
    """Values ``(H, W)`` of 0..1 as an 8-bit greyscale PNG."""
    return _png(Image.fromarray(np.round(np.clip(plane, 0, 1) * 255).astype(np.uint8)))


def overlay_png(
    parsing: Parsing,
    opacity: float = 0.6,
    hidden: Collection[int] = render.HIDDEN_BY_DEFAULT,
) -> bytes:
    """The photo with its class colours over it, PNG at the photo's resolution."""
    pixels = render.overlay(parsing.image, parsing.mask, opacity, hidden)
    return _png(Image.fromarray(pixels))


def photo_jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    """A photo ``(H, W, 3)`` as JPEG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=quality)
    return out.getvalue()


def regions_csv(regions: pd.DataFrame) -> bytes:
    """Measurements as UTF-8 CSV with a header."""
    return regions.to_csv(index=False, float_format="%.6g").encode()


def timings_csv(parsing: Parsing) -> bytes:
    """Stages and their milliseconds as UTF-8 CSV with a header."""
    rows = pd.DataFrame(
        {"stage": list(parsing.timings), "milliseconds": list(parsing.timings.values())}
    )
    return rows.to_csv(index=False, float_format="%.3f").encode()


def _png(image: Image.Image, pnginfo: PngInfo | None = None) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", pnginfo=pnginfo, compress_level=4)
    return out.getvalue()
