"""FaceParser: the one pipeline from a photo to its parsed faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet import upsample
from bisenet.classes import BACKGROUND, NUM_CLASSES
from bisenet.engines import EngineInfo, open_engine
from bisenet.faces import Box, Crop, normalise, whole_crop
from bisenet.timing import Stopwatch
from bisenet.weights import resolve

FramingName = Literal["auto", "whole"]
FRAMINGS: tuple[str, ...] = get_args(FramingName)


@dataclass(frozen=True)
class Face:
    """One parsed face.

    Attributes:
        box: where it lies, in the photo's pixels: x0, y0, x1, y1.
        score: mean confidence over the pixels that are not background, 0..1.
        mask: ``(H, W)`` uint8, this face's class ids at the photo's resolution.
        crop: the square that the network saw.
        logits: ``(19, S/8, S/8)`` f16, what the network said about that square.
    """

    box: Box
    score: float
    mask: NDArray[np.uint8] = field(repr=False)
    crop: Crop = field(repr=False)
    logits: NDArray[np.float16] = field(repr=False)

    @cached_property
    def _probabilities(self) -> NDArray[np.float32]:
        return upsample.softmax(upsample.to_crop(self.logits.astype(np.float32), self.crop.size))


@dataclass(frozen=True)
class Parsing:
    """A photo and what was found in it.

    Attributes:
        image: ``(H, W, 3)`` uint8, the photo, upright sRGB.
        mask: ``(H, W)`` uint8, class ids, at the photo's own resolution.
        confidence: ``(H, W)`` f32, probability of the winning class.
        faces: largest first.
        timings: stage to milliseconds, in the order of the stages.
        engine: what ran the network.
        weights: the name of the weights.
    """

    image: NDArray[np.uint8] = field(repr=False)
    mask: NDArray[np.uint8] = field(repr=False)
    confidence: NDArray[np.float32] = field(repr=False)
    faces: tuple[Face, ...] = field(repr=False)
    timings: Mapping[str, float]
    engine: EngineInfo
    weights: str

    @property
    def classes(self) -> tuple[int, ...]:
        """Ids of the classes that hold at least one pixel, in class order."""
        counts = np.bincount(self.mask.ravel(), minlength=NUM_CLASSES)
        return tuple(int(i) for i in np.flatnonzero(counts))

    def probability(self, class_id: int) -> NDArray[np.float32]:
        """Probability of one class at every pixel, ``(H, W)``: the soft edge of a region."""
        face = self.faces[0]
        return upsample.resize_plane(face._probabilities[class_id], face.crop.content, self._shape)

    def entropy(self) -> NDArray[np.float32]:
        """How unsure the network is, bits a pixel, ``(H, W)``: 0 is certain, 4.25 is no idea."""
        face = self.faces[0]
        p = np.clip(face._probabilities, 1e-7, 1.0)
        bits = -(p * np.log2(p)).sum(axis=0)
        return upsample.resize_plane(bits, face.crop.content, self._shape)

    @property
    def _shape(self) -> tuple[int, int]:
        return (self.mask.shape[0], self.mask.shape[1])


class FaceParser:
    """Parses photos with one set of weights on one engine. Safe to share between threads.

    Args:
        weights: a name of the manifest, or a checkpoint's path.
        engine: ``auto`` or ``torch``.

    Raises:
        ValueError: there is no such engine.
        WeightsError: the weights cannot be loaded.
    """

    def __init__(self, weights: str = "default", engine: str = "auto"):
        self.weights = resolve(weights)
        self.input_size = self.weights.input_size
        self._engine = open_engine(engine, weights)

    @property
    def engine(self) -> EngineInfo:
        """What runs the network."""
        return self._engine.info

    def parse(
        self, image: Image.Image | NDArray[np.uint8], framing: FramingName = "auto"
    ) -> Parsing:
        """Parse a photo.

        Args:
            image: a PIL image, or ``(H, W, 3)`` uint8 RGB.
            framing: ``whole`` says that the image is one aligned face crop. ``auto`` will search
                for faces; until it does, it means ``whole``.

        Raises:
            ValueError: the array is not ``(H, W, 3)`` uint8, it is empty, or the framing is
                unknown.
        """
        if framing not in FRAMINGS:
            raise ValueError(f"There is no framing {framing!r}; choose: {', '.join(FRAMINGS)}.")
        clock = Stopwatch()
        pixels = _as_pixels(image)
        with clock.stage("crop"):
            crop = whole_crop(pixels.shape[0], pixels.shape[1], self.input_size)
            square = crop.sample(pixels)
        with clock.stage("normalise"):
            batch = normalise(square[None])
        with clock.stage("network"):
            (logits,) = self._engine.infer(batch)
        with clock.stage("upsample"):
            shape = (pixels.shape[0], pixels.shape[1])
            mask, confidence = upsample.label_pixels(
                upsample.to_crop(logits, crop.size), crop.content, shape
            )
            head = mask != BACKGROUND
            score = float(confidence[head].mean()) if head.any() else 0.0
        face = Face(
            box=(0.0, 0.0, float(shape[1]), float(shape[0])),
            score=score,
            mask=mask,
            crop=crop,
            logits=logits.astype(np.float16),
        )
        return Parsing(
            pixels, mask, confidence, (face,), clock.timings, self.engine, self.weights.name
        )


def _as_pixels(image: Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"An image is (height, width, 3) uint8 RGB; got {pixels.shape} {pixels.dtype}."
        )
    if pixels.size == 0:
        raise ValueError(f"The image has no pixels ({pixels.shape[1]} x {pixels.shape[0]}).")
    return pixels
