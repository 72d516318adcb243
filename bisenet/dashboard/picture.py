"""A picture as the viewer shows it; no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bisenet.geometry.boxes import Box


@dataclass(frozen=True)
class Picture:
    """A photo and its regions.

    Attributes:
        photo: JPEG or PNG, up to 12 megapixels.
        labels: 8-bit greyscale or palette PNG, ``(H, W)`` class ids, with the photo's aspect; may
            be smaller than the photo.
        title: the photo's name, for screen readers and above the pictures of a comparison.
        confidence: 8-bit greyscale PNG, 255 = certain, at any resolution; None leaves it unsaid.
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
