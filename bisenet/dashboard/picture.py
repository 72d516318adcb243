"""A picture as the viewer shows it; no Streamlit."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bisenet.geometry.boxes import Box


@dataclass(frozen=True)
class Picture:
    """A photo and its regions.

    Attributes:
        photo: JPEG or PNG, up to 12 megapixels.
        labels: ``pack`` of ``(H, W)`` class ids, or ``NOT_LOOKED_AT``, with the photo's aspect; may
            be smaller than it.
        title: the photo's name, for screen readers and above the pictures of a comparison.
        confidence: ``pack`` of a plane of any size, 255 = certain; None leaves it unsaid.
        faces: boxes in pixels of ``photo`` by the faces' ids; framed when more than one.
    """

    photo: bytes
    labels: bytes
    title: str = ""
    confidence: bytes | None = None
    faces: Mapping[int, Box] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of its files."""
        return len(self.photo) + len(self.labels) + len(self.confidence or b"")


def pack(plane: NDArray[np.uint8]) -> bytes:
    """A plane ``(H, W)`` as the viewer's ``unpack`` (js/plane.js) takes it.

    Width and height as two little-endian 32-bit numbers, then a zlib stream of the rows, each as
    its difference from the row above: smaller than a PNG, and the browser inflates it by itself.
    """
    height, width = plane.shape
    rows = np.diff(plane, axis=0, prepend=np.zeros((1, width), np.uint8))
    return struct.pack("<II", width, height) + zlib.compress(rows.tobytes())
