"""Faces to look at before anyone has uploaded one: a public-domain photo and its variations."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from bisenet.classes import mirror_lut

# Around the head and shoulders of ``astronaut``, with room to turn them: left, top, right, bottom.
_AROUND = (62, -40, 362, 246)
_SIZE = (660, 618)
_LARGER = 3


def astronaut() -> Image.Image:
    """Eileen Collins, NASA, public domain: scikit-image's test picture, 512 x 512."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def astronaut_face() -> Image.Image:
    """The same, cut around the head and shoulders, enlarged three times: 660 x 618.

    Labels are as fine as the photo, so on the small one the regions' edges would be stairs.
    """
    face = astronaut().crop((102, 0, 322, 206))
    return face.resize(_SIZE, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Variation:
    """The sample seen otherwise.

    Attributes:
        name: a file's stem.
        roll: degrees, against the clock.
        zoom: more than 1 comes closer.
        mirrored: left and right exchanged.
        scale: the picture's size over the sample's.
        light: what becomes of the pixels.
    """

    name: str
    roll: float = 0.0
    zoom: float = 1.0
    mirrored: bool = False
    scale: float = 1.0
    light: Callable[[Image.Image], Image.Image] | None = None

    def apply(self, base: Image.Image) -> Image.Image:
        """The photo ``varied_base`` under this variation."""
        seen = self._moved(base, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        return self.light(seen) if self.light else seen

    def apply_to_mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Class ids ``(H, W)`` of ``varied_base`` under it: they move with the photo."""
        nearest = Image.Resampling.NEAREST
        moved = np.asarray(self._moved(Image.fromarray(mask), nearest, nearest))
        return mirror_lut()[moved].astype(np.uint8) if self.mirrored else moved

    def _moved(
        self, image: Image.Image, turn: Image.Resampling, shrink: Image.Resampling
    ) -> Image.Image:
        if self.mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.roll:
            image = image.rotate(self.roll, resample=turn)
        width, height = (side / self.zoom for side in _SIZE)
        left, top = (image.width - width) / 2, (image.height - height) / 2
        size = (round(_SIZE[0] * self.scale), round(_SIZE[1] * self.scale))
        return image.resize(size, shrink, box=(left, top, left + width, top + height))


def _warm(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, np.float32) * (1.12, 1.0, 0.72)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _lamp(image: Image.Image) -> Image.Image:
    fall = np.linspace(1.25, 0.45, image.width, dtype=np.float32)[None, :, None]
    pixels = np.asarray(image, np.float32) * fall
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _bright(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


VARIATIONS: tuple[Variation, ...] = (
    Variation("as-it-is"),
    Variation("mirrored", mirrored=True),
    Variation("rolled-left", roll=18),
    Variation("rolled-right", roll=-18),
    Variation("closer", zoom=1.35),
    Variation("small", scale=0.25),
    Variation("dark", light=_bright(0.45)),
    Variation("bright", light=_bright(1.6)),
    Variation("warm-light", light=_warm),
    Variation("lamp-from-the-side", light=_lamp),
    Variation("grey", light=lambda image: image.convert("L").convert("RGB")),
    Variation("blurred", light=lambda image: image.filter(ImageFilter.GaussianBlur(5))),
)


def varied_base() -> Image.Image:
    """The photo that ``VARIATIONS`` start from: ``astronaut_face`` with more around it."""
    photo = np.asarray(astronaut())
    left, top, right, bottom = _AROUND
    # What lies above the photo's edge continues its backdrop.
    padded = np.pad(photo, ((max(0, -top), 0), (0, 0), (0, 0)), mode="edge")
    cut = padded[max(0, top) : bottom - min(0, top), left:right]
    height, width = cut.shape[:2]
    size = (width * _LARGER, height * _LARGER)
    return Image.fromarray(cut).resize(size, Image.Resampling.LANCZOS)


def variations() -> list[tuple[str, bytes]]:
    """Names and JPEG files of the sample under ``VARIATIONS``."""
    base = varied_base()
    return [(f"astronaut-{one.name}.jpg", _jpeg(one.apply(base))) for one in VARIATIONS]


def labelled_variations(
    parse: Callable[[Image.Image], NDArray[np.uint8]],
) -> list[tuple[str, bytes]]:
    """The same with a mask each, in the folders ``images`` and ``masks``.

    Args:
        parse: class ids ``(H, W)`` of a photo. The unchanged photo is parsed once, and its labels
            move with each variation: they are no truth, but what steady labels would be.
    """
    mask = parse(varied_base())
    photos = [(f"images/{name}", data) for name, data in variations()]
    masks = [
        (f"masks/astronaut-{one.name}.png", _png(one.apply_to_mask(mask))) for one in VARIATIONS
    ]
    return photos + masks


def _saved(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    return _saved(image, format="JPEG", quality=92)


def _png(mask: NDArray[np.uint8]) -> bytes:
    return _saved(Image.fromarray(mask), format="PNG")
