"""The square crop that the network wants, and the way between it and the photo.

The network was trained on CelebAMask-HQ's aligned crops (Lee et al., CVPR 2020), which are cut by
the rule of Karras et al. ("Progressive Growing of GANs", ICLR 2018, appendix C) from the eyes and
the mouth. ``face_crop`` follows that rule. Photo and crop are tied by an affine matrix in which a
whole number is the centre of a pixel, so both ways are exact to a fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.geometry.affine import from_part, from_shrunk
from bisenet.geometry.boxes import Point, Rect, within

# ImageNet's statistics, which the published checkpoints were trained with.
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
# A photo that shrinks by less than this is read between its pixels, which averages enough.
NEARLY = 0.75
PADDING = tuple(int(v) for v in np.round(MEAN * 255))


@dataclass(frozen=True, eq=False)
class Crop:
    """A square view of a photo.

    Attributes:
        matrix: ``(2, 3)`` f64, from the photo's pixels (x, y) to the square's.
        size: the square's side, pixels.
        shape: the photo's height and width.
        content: for a view of the whole photo, the rectangle of the square that it fills
            (x, y, width, height); empty for a view of a part.
    """

    matrix: NDArray[np.float64] = field(repr=False)
    size: int
    shape: tuple[int, int]
    content: Rect = (0, 0, 0, 0)

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """``(2, 3)``, from the square's pixels to the photo's."""
        return np.asarray(cv2.invertAffineTransform(self.matrix), dtype=np.float64)

    @property
    def is_whole(self) -> bool:
        """Whether it is a view of the whole photo, upright, its proportions kept."""
        return self.content[2] > 0

    @property
    def scale(self) -> float:
        """Pixels of the square to one of the photo."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def side(self) -> float:
        """Side of the square in the photo's pixels."""
        return self.size / self.scale

    @property
    def roll(self) -> float:
        """How far the square is rotated in the photo, degrees clockwise as seen, -180..180."""
        across = self.inverse[:, 0]
        return float(np.degrees(np.arctan2(across[1], across[0])))

    @property
    def centre(self) -> Point:
        """Centre of the square in the photo's pixels."""
        middle = (self.size - 1) / 2
        x, y = self.to_photo(np.array([[middle, middle]]))[0]
        return (float(x), float(y))

    def at(self, size: int) -> Crop:
        """The same view of the photo at another number of pixels."""
        ratio = size / self.size
        matrix = self.matrix * ratio
        matrix[:, 2] += 0.5 * ratio - 0.5
        return Crop(matrix, size, self.shape)

    def widened(self, factor: float) -> Crop:
        """A view of ``factor`` times the side, about the same centre."""
        middle = (self.size - 1) / 2
        matrix = self.matrix / factor
        matrix[:, 2] += middle * (1 - 1 / factor)
        return Crop(matrix, self.size, self.shape)

    def to_crop(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points ``(N, 2)`` of the photo (x, y) in the square's pixels."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_photo(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points ``(N, 2)`` of the square (x, y) in the photo's pixels."""
        return points @ self.inverse[:, :2].T + self.inverse[:, 2]

    @cached_property
    def window(self) -> Rect:
        """The upright rectangle of the photo that holds all the square shows: x, y, w, h."""
        edge = self.size - 0.5
        square = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]])
        corners = self.to_photo(square)
        height, width = self.shape
        x0, y0 = np.clip(np.floor(corners.min(0) + 0.5), 0, (width, height)).astype(int).tolist()
        x1, y1 = np.clip(np.ceil(corners.max(0) + 0.5), 0, (width, height)).astype(int).tolist()
        return (x0, y0, max(0, x1 - x0), max(0, y1 - y0))

    def sample(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square's pixels, ``(size, size, 3)``, from the photo ``(H, W, 3)``.

        Pixels are averaged where the photo is finer than the square. Beyond the photo lies
        ImageNet's mean colour, which the network sees as zeros.
        """
        if self.is_whole:
            return self._sample_whole(pixels)
        x, y, width, height = self.window
        if width == 0 or height == 0:
            return np.tile(np.array(PADDING, np.uint8), (self.size, self.size, 1))
        part = pixels[within(self.window)]
        # Maps a pixel of ``part``, perhaps shrunk, to the square.
        matrix = from_part(self.matrix, (x, y))
        scale = self.scale
        while scale <= 0.5 and min(width, height) > 1:
            part = _halved(part)
            height, width = part.shape[:2]
            matrix = from_shrunk(matrix, (2, 2))
            scale *= 2
        if scale < NEARLY:
            small = (max(1, round(width * scale)), max(1, round(height * scale)))
            part = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
            matrix = from_shrunk(matrix, (width / small[0], height / small[1]))
        square = cv2.warpAffine(
            part,
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=PADDING,
        )
        return np.asarray(square, dtype=np.uint8)

    def _sample_whole(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        _, _, width, height = self.content
        part = _resized(pixels, width, height)
        if (height, width) == (self.size, self.size):
            return part
        square = np.tile(np.array(PADDING, np.uint8), (self.size, self.size, 1))
        square[within(self.content)] = part
        return square


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The whole photo at another size; its pixels are averaged where it shrinks."""
    # Even sizes only, so that the photo keeps its place to a fraction of a pixel.
    while 4 * height <= pixels.shape[0] and not (pixels.shape[0] | pixels.shape[1]) & 1:
        pixels = _halved(pixels)
    if pixels.shape[:2] == (height, width):
        return pixels
    if height < pixels.shape[0] <= 4 * height:
        # Halving is quick, averaging by another factor is not.
        twice = cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
        return _halved(np.asarray(twice, np.uint8))
    shrinks = height < pixels.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of 2 x 2 pixels: several times faster than averaging by any other factor.

    An odd last row or column counts twice.
    """
    height, width = pixels.shape[:2]
    if (height | width) & 1:
        pixels = np.asarray(
            cv2.copyMakeBorder(pixels, 0, height & 1, 0, width & 1, cv2.BORDER_REPLICATE)
        )
    size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def whole_crop(height: int, width: int, size: int) -> Crop:
    """The whole photo, its proportions kept, in the middle of a square of ``size`` pixels."""
    scale = size / max(height, width)
    inner_width = min(size, max(1, round(width * scale)))
    inner_height = min(size, max(1, round(height * scale)))
    x, y = (size - inner_width) // 2, (size - inner_height) // 2
    fx, fy = inner_width / width, inner_height / height
    matrix = np.array([[fx, 0, x + 0.5 * fx - 0.5], [0, fy, y + 0.5 * fy - 0.5]])
    return Crop(matrix, size, (height, width), (x, y, inner_width, inner_height))


def square_crop(centre: Point, side: float, roll: float, size: int, shape: tuple[int, int]) -> Crop:
    """A square of the photo, ``side`` pixels wide, rotated clockwise by ``roll`` degrees.

    Args:
        centre: x, y in the photo's pixels.
        size: pixels of the crop.
        shape: the photo's height and width.
    """
    scale, angle = size / side, np.deg2rad(roll)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, sin], [-sin, cos]])
    offset = (size - 1) / 2 - linear @ np.array(centre)
    return Crop(np.column_stack([linear, offset]), size, shape)


def normalise(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Crops ``(N, S, S, 3)`` uint8 to the network's input ``(N, 3, S, S)`` f32."""
    scaled = crops.astype(np.float32) * (1 / (255 * STD)) - MEAN / STD
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
