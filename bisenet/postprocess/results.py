"""What a parse yields: the photo's labels, their confidence, and its faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, FACE_CLASSES, NOT_LOOKED_AT, NUM_CLASSES
from bisenet.engines import EngineInfo
from bisenet.geometry.boxes import Box, Point, Rect, within
from bisenet.geometry.crops import Crop
from bisenet.postprocess import resample
from bisenet.postprocess.logits import LogitGrid, softmax
from bisenet.postprocess.wide_view import WideView, cut_off

Scalar = TypeVar("Scalar", bound=np.generic)
_PlaneOf = Callable[[NDArray[np.float32]], NDArray[np.float32]]
# Scores of larger photos are read from so many rows, or up to twice as many.
SCORED_ROWS = 200


@dataclass(frozen=True, eq=False)
class Face:
    """One parsed face.

    Attributes:
        id: its number in the photo, from 1; the largest face is 1.
        box: where it lies from hairline to chin, in the photo's pixels: x0, y0, x1, y1; of a face
            that was boxed by hand, that box.
        score: mean confidence over the pixels that are not background, 0..1.
        roll: how far the head leans, degrees clockwise as seen, -180..180.
        eyes: the eye on the picture's left and the one on its right (x, y), where both show.
        window: the rectangle of the photo that its views cover: x, y, width, height.
        labels: ``(height, width)`` uint8, this face's class ids in that window. Pixels that
            another face claims more strongly are background here.
        shape: the photo's height and width.
        crop: the square that the network saw, the fine view.
        logits: ``(19, S/8, S/8)`` f16, what the network said about that square.
        wide: the wide view beyond it; None where the fine one shows all of the photo.
        cut_off: class ids of the regions that go on beyond the wide view, in the photo, where
            nobody looked: their areas and shares are less than the truth.
    """

    id: int
    box: Box
    score: float
    roll: float
    eyes: tuple[Point, Point] | None
    window: Rect
    labels: NDArray[np.uint8] = field(repr=False)
    shape: tuple[int, int] = field(repr=False)
    crop: Crop = field(repr=False)
    logits: NDArray[np.float16] = field(repr=False)
    wide: WideView | None = field(default=None, repr=False)
    cut_off: tuple[int, ...] = ()

    @property
    def turn(self) -> float:
        """``roll`` under its earlier name, for one release."""
        return self.roll

    @property
    def mask(self) -> NDArray[np.uint8]:
        """``(H, W)`` uint8, this face's class ids at the photo's resolution.

        Made anew each time: thirty of them would not fit into memory on a large photo.
        """
        return spread(self.labels, self.window, self.shape)


@dataclass(frozen=True, eq=False)
class Parsing:
    """A photo and what was found in it.

    Attributes:
        image: ``(H, W, 3)`` uint8, the photo, upright sRGB.
        mask: ``(H, W)`` uint8, class ids, at the photo's own resolution; 0 where ``covered``
            is false.
        confidence: ``(H, W)`` f32, probability of the winning class. Beyond the faces' crops,
            where nothing was parsed because no face was found, it is 1.
        faces: largest first; empty where none was found.
        timings: stage to milliseconds, in the order of the stages.
        engine: what ran the network.
        weights: the name of the weights.
        notices: sentences for people about what was done or left out.
        left_out: how many faces were found beyond the most that may be parsed.
        warm_up: whether it was the parser's first, which also pays for memory and kernels.
        views: what the network saw: the faces, or the whole image as one where there are none.
        instance_ids: ``(H, W)`` uint8, the id of the view that labels each pixel; 0 beyond.
    """

    image: NDArray[np.uint8] = field(repr=False)
    mask: NDArray[np.uint8] = field(repr=False)
    confidence: NDArray[np.float32] = field(repr=False)
    faces: tuple[Face, ...] = field(repr=False)
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    engine: EngineInfo = field(default_factory=lambda: EngineInfo("none", "", "", 0))
    weights: str = ""
    notices: tuple[str, ...] = ()
    left_out: int = 0
    warm_up: bool = False
    views: tuple[Face, ...] = field(default=(), repr=False)
    instance_ids: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros((0, 0), np.uint8), repr=False
    )

    @property
    def owner(self) -> NDArray[np.uint8]:
        """``instance_ids`` under their earlier name, for one release."""
        return self.instance_ids

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where a view decided, ``(H, W)``; elsewhere the mask's 0 means nothing."""
        if self.instance_ids.shape != self.mask.shape:  # a mask that no view made
            return np.ones(self.mask.shape, bool)
        return self.instance_ids > 0

    @cached_property
    def parsed_px(self) -> int:
        """Pixels at which a view decided; counted once, as pages ask at every click."""
        if self.instance_ids.shape != self.mask.shape:
            return self.mask.size
        return int(cv2.countNonZero(self.instance_ids))

    @property
    def all_covered(self) -> bool:
        """Whether a view decided everywhere."""
        return self.parsed_px == self.mask.size

    @property
    def cut_off(self) -> tuple[int, ...]:
        """Ids of the classes that are cut off in at least one face, in class order."""
        return tuple(sorted({class_id for face in self.faces for class_id in face.cut_off}))

    @property
    def labels(self) -> NDArray[np.uint8]:
        """``mask`` with ``NOT_LOOKED_AT`` where no view decided, ``(H, W)`` uint8."""
        if self.all_covered:
            return self.mask
        return np.where(self.covered, self.mask, np.uint8(NOT_LOOKED_AT))

    @property
    def classes(self) -> tuple[int, ...]:
        """Ids of the classes that hold at least one pixel, in class order."""
        counts = np.bincount(self.mask.ravel(), minlength=NUM_CLASSES)
        return tuple(int(i) for i in np.flatnonzero(counts))

    def probability(self, class_id: int) -> NDArray[np.float32]:
        """Probability of one class at every pixel, ``(H, W)``: the soft edge of a region.

        Beyond the faces' crops it is 1 for the background and 0 for the rest.
        """
        beyond = 1.0 if class_id == BACKGROUND else 0.0
        return self._composite(lambda p: p[class_id], beyond)

    def entropy(self) -> NDArray[np.float32]:
        """Entropy of the probabilities, bits a pixel, ``(H, W)``: 0 is certain, 4.25 is no idea."""

        def bits(p: NDArray[np.float32]) -> NDArray[np.float32]:
            p = np.clip(p, 1e-7, 1.0)
            return np.asarray(-(p * np.log2(p)).sum(axis=0), dtype=np.float32)

        return self._composite(bits, 0.0)

    def _composite(self, plane_of: _PlaneOf, beyond: float) -> NDArray[np.float32]:
        """A plane of every view's probabilities, each where its view decides, ``(H, W)``."""
        result = np.full(self.mask.shape, beyond, np.float32)
        for view in self.views:
            own = self.instance_ids == view.id
            fine = LogitGrid(view.logits.astype(np.float32), view.crop.size)
            if view.wide is not None:
                wide = LogitGrid(view.wide.logits.astype(np.float32), view.wide.crop.size)
                _read_view(result, plane_of, wide, view.wide.crop, own)
                own &= spread(resample.covered(view.crop, fine), view.crop.window, own.shape)
            _read_view(result, plane_of, fine, view.crop, own)
        return result


def _read_view(
    result: NDArray[np.float32],
    plane_of: _PlaneOf,
    logit_grid: LogitGrid,
    crop: Crop,
    where: NDArray[np.bool_],
) -> None:
    plane = np.ascontiguousarray(plane_of(softmax(logit_grid.logits)))
    values = resample.warp_plane(plane, logit_grid, crop.matrix, crop.window)
    here = within(crop.window)
    np.copyto(result[here], values, where=where[here])


def spread(
    values: NDArray[Scalar], window: Rect, shape: tuple[int, int], beyond: float = 0
) -> NDArray[Scalar]:
    """A window's values on a plane of the photo's shape; they themselves where it is all of it."""
    if values.shape == shape:
        return values
    plane = np.full(shape, beyond, values.dtype) if beyond else np.zeros(shape, values.dtype)
    plane[within(window)] = values
    return plane


def leaving(face: Face, mask: NDArray[np.uint8], instance_ids: NDArray[np.uint8]) -> Face:
    """A face that says which of its regions are cut off in the finished composite."""
    if face.wide is None:
        return face
    return dataclasses.replace(face, cut_off=cut_off(face.wide, face.id, mask, instance_ids))


def own_labels(
    face: Face,
    mask: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    instance_ids: NDArray[np.uint8],
) -> Face:
    """A face with the pixels that it kept in the composite, and its score over them."""
    here = within(face.window)
    labels = np.where(instance_ids[here] == face.id, mask[here], BACKGROUND).astype(np.uint8)
    score = head_confidence(labels, confidence[here])
    return dataclasses.replace(face, labels=labels, score=score)


def head_confidence(labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> float:
    """Mean confidence over the pixels ``(H, W)`` that are not background; 0 where all are.

    Of a large photo, every so many rows give it to a thousandth.
    """
    every = np.s_[:: max(1, len(labels) // SCORED_ROWS)]
    # The background's id is 0, so labels serve as OpenCV's mask.
    return float(cv2.mean(confidence[every], labels[every])[0])


def face_extent(logits: NDArray[np.float32], crop: Crop) -> Box:
    """The upright box around the face in the middle of a crop, in the photo's pixels.

    It is as exact as the network's own grid: a few hundredths of the face. Where no face class
    wins, it is the box around the crop.
    """
    grid = logits.shape[-1]
    face = np.isin(logits.argmax(axis=0), FACE_CLASSES).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(face)
    height, width = crop.shape
    if count < 2:
        x, y, w, h = crop.window
        return (float(x), float(y), float(x + w), float(y + h))
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    ys, xs = np.nonzero(parts == largest)
    step = (crop.size - 1) / (grid - 1)
    points = crop.to_photo(np.stack([xs, ys], axis=1) * step)
    x0, y0 = np.clip(points.min(0), 0, (width, height)).tolist()
    x1, y1 = np.clip(points.max(0) + 1, 0, (width, height)).tolist()
    return (x0, y0, x1, y1)
