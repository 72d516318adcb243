"""Reading a face off the network's own logits: where its parts are, and how to frame it.

Judging and framing a crop by what the network sees in it needs no second model, and it works at
any input size, so a small crop is enough to verify a proposal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import EYES, GLASSES, MOUTH, NOSE
from bisenet.geometry.boxes import Point
from bisenet.geometry.crops import Crop, square_crop
from bisenet.postprocess.logits import softmax

# CelebA-HQ's rule: the crop's side is the larger of 4 eye distances and 3.6 times the way from
# eyes to mouth, and its centre lies a tenth of that way below the eyes.
SIDE_BY_EYES, SIDE_BY_MOUTH, CENTRE = 4.0, 3.6, 0.09
# Parts farther from the middle of an aligned crop than this share of its side are others'.
REACH = 0.36


@dataclass(frozen=True)
class Landmarks:
    """Parts of a face in the photo's pixels, and the network's confidence in them.

    Attributes:
        eyes: the eye on the picture's left and the one on its right; the same point twice where
            only one, or only glasses, are detected.
        both_eyes: whether both were detected.
        mouth: centre of the lips.
        score: 0..1; 0 where the arrangement is no face.
    """

    eyes: tuple[Point, Point]
    both_eyes: bool
    mouth: Point
    score: float

    @property
    def eye_distance(self) -> float:
        """Distance of the eyes, pixels; estimated from the mouth where only one eye shows."""
        left, right, mouth = (np.array(p) for p in (*self.eyes, self.mouth))
        to_mouth = float(np.hypot(*(mouth - (left + right) / 2)))
        return max(float(np.hypot(*(right - left))), SIDE_BY_MOUTH / SIDE_BY_EYES * to_mouth)


def find_landmarks(
    logits: NDArray[np.float32], crop: Crop, reach: float = REACH
) -> Landmarks | None:
    """Eyes, nose and mouth near the middle of a crop; None where one of them is missing.

    Args:
        logits: ``(19, g, g)`` of this crop.
        reach: how far from the middle parts are looked for, as a share of the crop's side.
    """
    grid = logits.shape[-1]
    p = softmax(logits.astype(np.float32))
    step = (crop.size - 1) / (grid - 1)
    axis = (np.arange(grid) - (grid - 1) / 2) / (grid - 1)
    near = (np.hypot(axis[None, :], axis[:, None]) < reach).astype(np.float32)
    left_right = [_centroid(p[i] * near) for i in EYES]
    glasses = _centroid(p[GLASSES] * near)
    nose, mouth = _centroid(p[NOSE] * near), _centroid(p[list(MOUTH)].sum(0) * near)
    if nose is None or mouth is None:
        return None
    detected = [eye for eye in left_right if eye is not None]
    if (
        len(detected) == 2
        and np.hypot(*(detected[0][0] - detected[1][0])) * step < 0.08 * crop.size
    ):
        detected = [max(detected, key=lambda eye: eye[1])]
    if len(detected) < 2 and glasses is not None:
        detected = [glasses]
    if not detected:
        return None
    detected.sort(key=lambda eye: float(eye[0][0]))
    first, last = detected[0], detected[-1]
    peaks = [max(eye[1] for eye in detected), nose[1], mouth[1]]
    fits = _is_face((first[0] + last[0]) / 2, last[0] - first[0], nose[0], mouth[0], grid)
    score = float(np.prod(peaks) ** (1 / 3)) if fits else 0.0
    points = crop.to_photo(np.stack([first[0], last[0], mouth[0]]) * step)
    left, right, lips = ((float(x), float(y)) for x, y in points)
    return Landmarks((left, right), len(detected) == 2, lips, score)


def face_crop(marks: Landmarks, size: int, shape: tuple[int, int]) -> Crop:
    """The crop of ``size`` pixels that frames a face as the training crops are framed.

    Source: Karras et al., "Progressive Growing of GANs", ICLR 2018, appendix C.
    """
    left, right, mouth = (np.array(p) for p in (*marks.eyes, marks.mouth))
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    upright = np.array([down[1], -down[0]])
    direction = across + upright
    roll = float(np.degrees(np.arctan2(direction[1], direction[0])))
    side = max(SIDE_BY_EYES * np.hypot(*across), SIDE_BY_MOUTH * np.hypot(*down), 1.0)
    x, y = eyes + CENTRE * down
    return square_crop((float(x), float(y)), float(side), roll, size, shape)


def _centroid(p: NDArray[np.float32]) -> tuple[NDArray[np.float64], float] | None:
    """Where a part is on the grid (x, y), and the probability at its peak."""
    peak = float(p.max())
    if peak < 0.12:
        return None
    y0, x0 = np.unravel_index(int(p.argmax()), p.shape)
    # Only what is near the peak: a second face's part must not pull.
    radius = max(2, round(0.09 * p.shape[0]))
    ys = slice(max(0, y0 - radius), y0 + radius + 1)
    xs = slice(max(0, x0 - radius), x0 + radius + 1)
    piece = np.where(p[ys, xs] > 0.3 * peak, p[ys, xs], 0.0)
    total = float(piece.sum())
    y = float((piece.sum(1) * np.arange(ys.start, ys.start + piece.shape[0])).sum()) / total
    x = float((piece.sum(0) * np.arange(xs.start, xs.start + piece.shape[1])).sum()) / total
    return np.array([x, y]), peak


def _is_face(
    eyes: NDArray[np.float64],
    across: NDArray[np.float64],
    nose: NDArray[np.float64],
    mouth: NDArray[np.float64],
    grid: int,
) -> bool:
    """Whether the parts lie as in a face: the nose between eyes and mouth, in proportion."""
    down = mouth - eyes
    length = float(np.hypot(*down))
    if not 0.1 * grid < length < 0.8 * grid:
        return False
    unit = down / length
    along = float((nose - eyes) @ unit) / length
    aside = abs(float((nose - eyes) @ (-unit[1], unit[0]))) / length
    slant = abs(float(across @ unit)) / length
    width = float(np.hypot(*across)) / length
    return 0.1 < along < 0.9 and aside < 0.5 and slant < 0.55 and width < 1.7
