"""Where several faces' labels become one: the photo's composite."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bisenet.geometry.boxes import Box, Rect, within
from bisenet.geometry.crops import Crop
from bisenet.postprocess import resample
from bisenet.postprocess.landmarks import Landmarks, face_crop
from bisenet.postprocess.logits import LogitGrid
from bisenet.postprocess.results import (
    Face,
    face_extent,
    head_confidence,
    leaving,
    own_labels,
    spread,
)
from bisenet.postprocess.wide_view import WideView

# The least and the most that a view may claim of 255.
FINE_CLAIM = (64, 255)
WIDE_CLAIM = (1, 63)


@dataclass
class Composite:
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
    instance_ids: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    claim: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    faces: list[Face] = field(default_factory=list)

    def paint(
        self,
        logits: NDArray[np.float32],
        crop: Crop,
        marks: Landmarks | None,
        wide: WideView | None = None,
        drawn: Box | None = None,
    ) -> None:
        """Paint a face; where it meets another, the one with the stronger claim keeps a pixel.

        A claim is the confidence, weighed by how near the middle of its crop a pixel lies: at its
        rim a crop shows the neighbour, whose own crop sees more of it. A fine view's claim is
        stronger than any wide one's. ``drawn`` is the face's box where somebody has drawn it.
        """
        layer = _Layer.of(logits, crop, self.several, wide)
        if self.faces:
            self._lay_over(layer)
        else:
            self._begin(layer)
        self.faces.append(
            Face(
                id=len(self.faces) + 1,
                box=face_extent(logits, crop) if drawn is None else drawn,
                score=0.0,
                # At full detail the landmarks are more exact than when the crop was framed.
                roll=crop.roll if marks is None else face_crop(marks, 1, crop.shape).roll,
                eyes=marks.eyes if marks is not None and marks.both_eyes else None,
                window=layer.window,
                labels=layer.labels,
                shape=crop.shape,
                crop=crop,
                logits=logits.astype(np.float16),
                wide=wide,
            )
        )

    def _begin(self, layer: _Layer) -> None:
        """The first face needs no comparing, so the planes of a large portrait are not copied."""
        if not layer.take.all():
            np.copyto(layer.confidence, 1.0, where=~layer.take)
        self.mask = spread(layer.labels, layer.window, self.shape)
        self.confidence = spread(layer.confidence, layer.window, self.shape, beyond=1.0)
        self.instance_ids = spread(layer.take.astype(np.uint8), layer.window, self.shape)
        if self.several:
            claim = np.where(layer.take, layer.claim, 0).astype(np.uint8)
            self.claim = spread(claim, layer.window, self.shape)

    def _lay_over(self, layer: _Layer) -> None:
        here = within(layer.window)
        take = layer.take & (layer.claim > self.claim[here])
        np.copyto(self.claim[here], layer.claim, where=take)
        np.copyto(self.mask[here], layer.labels, where=take)
        np.copyto(self.confidence[here], layer.confidence, where=take)
        np.copyto(self.instance_ids[here], np.uint8(len(self.faces) + 1), where=take)

    def finished(self) -> tuple[Face, ...]:
        """The faces, each with the pixels that it kept and its mean confidence over them."""
        if len(self.faces) == 1:  # it kept all, and a large portrait's labels need no copying
            (face,) = self.faces
            confidence = self.confidence[within(face.window)]
            own = [replace(face, score=head_confidence(face.labels, confidence))]
        else:
            own = [own_labels(f, self.mask, self.confidence, self.instance_ids) for f in self.faces]
        return tuple(leaving(face, self.mask, self.instance_ids) for face in own)


@dataclass(frozen=True, eq=False)
class _Layer:
    """What one face's views say of their window of the photo.

    Attributes:
        labels: ``(h, w)``, background where no view reaches.
        take: ``(h, w)``, where it does.
        confidence: the winning class's probability, ``(h, w)``.
        claim: how strongly the face holds a pixel, 0..255, ``(h, w)``; empty where none disputes.
    """

    window: Rect
    labels: NDArray[np.uint8]
    take: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    claim: NDArray[np.uint8]

    @classmethod
    def of(
        cls, logits: NDArray[np.float32], crop: Crop, disputed: bool, wide: WideView | None
    ) -> _Layer:
        near = cls._of_view(logits, crop, FINE_CLAIM if disputed else None)
        if wide is None:
            return near
        seen = wide.logits.astype(np.float32)
        far = cls._of_view(seen, wide.crop, WIDE_CLAIM if disputed else None)
        x, y, width, height = near.window
        here = within((x - far.window[0], y - far.window[1], width, height))
        np.copyto(far.labels[here], near.labels, where=near.take)
        np.copyto(far.confidence[here], near.confidence, where=near.take)
        if disputed:
            np.copyto(far.claim[here], near.claim, where=near.take)
        far.take[here] |= near.take
        return far

    @classmethod
    def _of_view(
        cls, logits: NDArray[np.float32], crop: Crop, claims: tuple[int, int] | None
    ) -> _Layer:
        logit_grid = LogitGrid(logits, crop.size)
        labels, take = resample.label_window(logit_grid, crop.matrix, crop.window)
        confidence = resample.warp_plane(
            logit_grid.confidence, logit_grid, crop.matrix, crop.window
        )
        claim = np.zeros((0, 0), np.uint8)
        if claims is not None:
            plane = logit_grid.confidence * _middle_weight(logit_grid.samples)
            held = resample.warp_plane(plane, logit_grid, crop.matrix, crop.window)
            least, most = claims
            claim = np.round(least + held * (most - least)).astype(np.uint8)
        return cls(crop.window, labels, take, confidence, claim)


def _middle_weight(n: int) -> NDArray[np.float32]:
    """1 in the middle of a crop, falling to 0.25 at its corners, ``(n, n)``."""
    axis = np.linspace(-1, 1, n, dtype=np.float32)
    return np.asarray(np.clip(1.1 - 0.45 * (axis[:, None] ** 2 + axis**2), 0.25, 1), np.float32)
