"""Where several faces' labels become one: the photo's composite."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bisenet import upsample
from bisenet.faces import Crop
from bisenet.framing import Landmarks, face_crop
from bisenet.parsing import Face, face_extent, head_confidence, own_labels
from bisenet.surface import Surface
from bisenet.upsample import Rect

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass
class Canvas:
    """The photo's composite while faces are painted on it.

    Attributes:
        shape: the photo's height and width.
        several: whether more than one face may be painted.
        claim: how strongly the pixel's face holds it, 0..255; only where there are several.
    """

    shape: tuple[int, int]
    several: bool
    mask: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    confidence: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    owner: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    claim: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    faces: list[Face] = field(default_factory=list)

    def paint(self, logits: NDArray[np.float32], crop: Crop, marks: Landmarks | None) -> None:
        """Paint a face; where it meets another, the one with the stronger claim keeps a pixel.

        A claim is the confidence, weighed by how near the middle of its crop a pixel lies: at its
        rim a crop shows the neighbour, whose own crop sees more of it.
        """
        surface = Surface(logits, crop.size)
        labels, take = upsample.label_window(surface, crop.matrix, crop.window)
        sure = upsample.warp_plane(surface.confidence, surface, crop.matrix, crop.window)
        level = None
        if self.several:
            plane = surface.confidence * _middle_weight(surface.samples)
            claim = upsample.warp_plane(plane, surface, crop.matrix, crop.window)
            level = np.round(claim * 255).astype(np.uint8)
        if self.faces and level is not None:
            self._lay_over(crop.window, labels, take, sure, level)
        else:
            self._begin(crop.window, labels, take, sure, level)
        self.faces.append(
            Face(
                id=len(self.faces) + 1,
                box=face_extent(logits, crop),
                score=0.0,
                # At full detail the parts are told more exactly than when the crop was framed.
                turn=crop.turn if marks is None else face_crop(marks, 1, crop.shape).turn,
                eyes=marks.eyes if marks is not None and marks.both_eyes else None,
                window=crop.window,
                labels=labels,
                shape=crop.shape,
                crop=crop,
                logits=logits.astype(np.float16),
            )
        )

    def _begin(
        self,
        window: Rect,
        labels: NDArray[np.uint8],
        take: NDArray[np.bool_],
        sure: NDArray[np.float32],
        level: NDArray[np.uint8] | None,
    ) -> None:
        """The first face needs no comparing, so the planes of a large portrait are not copied."""
        if not take.all():
            np.copyto(sure, 1.0, where=~take)
        self.mask = _spread(labels, window, self.shape)
        self.confidence = _spread(sure, window, self.shape, beyond=1.0)
        self.owner = _spread(take.astype(np.uint8), window, self.shape)
        if level is not None:
            self.claim = _spread(np.where(take, level, 0).astype(np.uint8), window, self.shape)

    def _lay_over(
        self,
        window: Rect,
        labels: NDArray[np.uint8],
        take: NDArray[np.bool_],
        sure: NDArray[np.float32],
        level: NDArray[np.uint8],
    ) -> None:
        x, y, width, height = window
        here = np.s_[y : y + height, x : x + width]
        take &= level > self.claim[here]
        np.copyto(self.claim[here], level, where=take)
        np.copyto(self.mask[here], labels, where=take)
        np.copyto(self.confidence[here], sure, where=take)
        np.copyto(self.owner[here], np.uint8(len(self.faces) + 1), where=take)

    def finished(self) -> tuple[Face, ...]:
        """The faces, each with the pixels that it kept and its mean confidence over them."""
        if not self.several:
            (face,) = self.faces
            return (replace(face, score=head_confidence(self.mask, self.confidence)),)
        return tuple(own_labels(f, self.mask, self.confidence, self.owner) for f in self.faces)


def _spread(
    values: NDArray[Scalar], window: Rect, shape: tuple[int, int], beyond: float = 0
) -> NDArray[Scalar]:
    """A window's values on a plane of the photo's shape; they themselves where it is all of it."""
    x, y, width, height = window
    if (height, width) == shape:
        return values
    plane = np.full(shape, beyond, values.dtype) if beyond else np.zeros(shape, values.dtype)
    plane[y : y + height, x : x + width] = values
    return plane


def _middle_weight(n: int) -> NDArray[np.float32]:
    """1 in the middle of a crop, falling to 0.25 at its corners, ``(n, n)``."""
    axis = np.linspace(-1, 1, n, dtype=np.float32)
    return np.asarray(np.clip(1.1 - 0.45 * (axis[:, None] ** 2 + axis**2), 0.25, 1), np.float32)
