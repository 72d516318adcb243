"""What the detector's training scenes show: where each face's aligned crop lies."""

from __future__ import annotations

from dataclasses import dataclass

from bisenet.geometry.crops import Crop


@dataclass(frozen=True)
class Target:
    """A face in a scene: its aligned crop, framed as by ``bisenet.postprocess.landmarks``.

    Attributes:
        centre, side: pixels of the scene.
        roll: degrees, clockwise as seen.
        counts: False for one so small or so covered that it is neither right nor wrong.
    """

    centre: tuple[float, float]
    side: float
    roll: float
    counts: bool = True

    @classmethod
    def of(cls, crop: Crop) -> Target:
        """A crop of a photo, in the photo's pixels."""
        return cls(crop.centre, crop.side, crop.roll)
